import type { z } from 'zod'
import { type VariableName, variables } from './variables.ts'

type Environment = Readonly<Record<string, string | undefined>>
type Values = { [N in VariableName]: z.output<(typeof variables)[N]['format']> }
type Fault = { name: VariableName; wrong: string }

export type Config = ReturnType<typeof shape>

/**
 * The environment as a deeply frozen configuration. A variable that is empty counts as unset.
 * Throws one error that names every fault, without any value, since many are secrets.
 */
export function loadConfig(env: Environment): Config {
  const { values, faults } = parse(env)
  if (values.APP_ENV === 'production') faults.push(...productionFaults(values, faults))
  if (faults.length > 0) throw new Error(describe(faults))
  return deepFreeze(shape(values as Values))
}

/** What does not work yet, each with what would mend it. Calendly keys may also have come through the API. */
export function missingFeatures(
  { calendly, publicUrl }: Config,
  { hasCalendlyKey }: { hasCalendlyKey: boolean }
): string[] {
  const missing = []
  if (!hasCalendlyKey) {
    missing.push(
      'Calendly: set CALENDLY_API_TOKEN to a personal access token that was not revoked here, or add one with `npm run keys -- add`: until then nothing can be offered or booked.'
    )
  }
  if (calendly.signingKeys.length === 0) {
    missing.push(
      'Webhooks: set CALENDLY_WEBHOOK_SIGNING_KEY to a random string, or every delivery is refused.'
    )
  }
  if (publicUrl === undefined) {
    missing.push(
      'Webhook subscription: set PUBLIC_URL to the address where Calendly reaches this service, or none is made.'
    )
  }
  return missing
}

function parse(env: Environment): { values: Partial<Values>; faults: Fault[] } {
  const values: Record<string, unknown> = {}
  const faults: Fault[] = []
  for (const name of Object.keys(variables) as VariableName[]) {
    const result = variables[name].format.safeParse(env[name]?.trim() || undefined)
    if (result.success) values[name] = result.data
    else faults.push({ name, wrong: result.error.issues[0]?.message ?? 'is not valid' })
  }
  return { values, faults }
}

function productionFaults(values: Partial<Values>, known: readonly Fault[]): Fault[] {
  const faults: Fault[] = []
  const isFaulty = (name: string) => known.some((fault) => fault.name === name)
  const isSet = (name: string) => values[name as VariableName] !== undefined
  for (const name of Object.keys(variables) as VariableName[]) {
    const isNeeded = 'needed' in variables[name]
    if (isNeeded && !isSet(name) && !isSet(`${name}_SECONDARY`) && !isFaulty(name)) {
      faults.push({ name, wrong: 'is needed in production' })
    }
  }
  if (values.PUBLIC_URL?.startsWith('https:') === false) {
    faults.push({ name: 'PUBLIC_URL', wrong: 'must be https in production' })
  }
  if (values.STRIPE_SECRET_KEY !== undefined && values.STRIPE_API_BASE_URL?.startsWith('https:') === false) {
    faults.push({ name: 'STRIPE_API_BASE_URL', wrong: 'must be https in production' })
  }
  if (values.ADMIN_API_KEY !== undefined && values.ADMIN_API_KEY.length < 32) {
    faults.push({ name: 'ADMIN_API_KEY', wrong: 'must have at least 32 characters in production' })
  }
  return faults
}

function describe(faults: readonly Fault[]): string {
  const lines = faults.map(({ name, wrong }) => {
    const variable = variables[name]
    return `  ${name} ${wrong}, for example ${'example' in variable ? variable.example : variable.value}`
  })
  return ['The environment is not valid:', ...lines].join('\n')
}

function shape(values: Values) {
  return {
    env: values.APP_ENV,
    host: values.HOST ?? (values.APP_ENV === 'development' ? '127.0.0.1' : '0.0.0.0'),
    port: values.PORT,
    metricsPort: values.METRICS_PORT,
    logLevel: values.LOG_LEVEL,
    publicUrl: values.PUBLIC_URL,
    trustProxy: values.TRUST_PROXY,
    database: { url: values.DATABASE_URL, dataDir: values.DATA_DIR },
    redisUrl: values.REDIS_URL,
    adminApiKey: values.ADMIN_API_KEY,
    encryptionKey: values.ENCRYPTION_KEY,
    encryptionKeyPrevious: values.ENCRYPTION_KEY_PREVIOUS,
    limits: {
      perCallerPerMinute: values.RATE_LIMIT_PER_MINUTE,
      perAddressPerMinute: values.RATE_LIMIT_PER_ADDRESS,
      maxInFlight: values.MAX_IN_FLIGHT
    },
    calendly: {
      baseUrl: values.CALENDLY_API_BASE_URL,
      tokens: tokens(values),
      signingKeys: present(
        values.CALENDLY_WEBHOOK_SIGNING_KEY,
        values.CALENDLY_WEBHOOK_SIGNING_KEY_SECONDARY
      ),
      webhookToleranceMs: values.CALENDLY_WEBHOOK_TOLERANCE_SECONDS,
      cacheTtlMs: values.CALENDLY_CACHE_TTL,
      cacheMaxEntries: values.CALENDLY_CACHE_MAX_ENTRIES,
      cacheMaxBytes: values.CALENDLY_CACHE_MAX_BYTES,
      windowDays: values.CALENDLY_WINDOW_DAYS,
      bookingLimits: values.CALENDLY_BOOKING_LIMITS,
      quotaShare: values.CALENDLY_QUOTA_SHARE,
      maxUsagePerKey: values.CALENDLY_MAX_USAGE_PER_KEY,
      keyMaxAgeDays: values.CALENDLY_KEY_MAX_AGE_DAYS,
      keyProbeMs: values.CALENDLY_KEY_PROBE_SECONDS
    },
    schedules: {
      bookingLookupMs: values.BOOKING_LOOKUP_SECONDS,
      bookingAbsenceMs: values.BOOKING_ABSENCE_SECONDS,
      bookingAttentionMs: values.BOOKING_ATTENTION_SECONDS,
      sweepMs: values.SWEEP_INTERVAL_SECONDS,
      subscriptionCheckMs: values.SUBSCRIPTION_CHECK_SECONDS,
      reconciliationMs: values.RECONCILIATION_INTERVAL_SECONDS,
      eventRetryMs: values.EVENT_RETRY_SECONDS,
      drainMs: values.DRAIN_SECONDS
    },
    stripe: {
      baseUrl: values.STRIPE_API_BASE_URL,
      secretKey: values.STRIPE_SECRET_KEY,
      webhookSecrets: present(values.STRIPE_WEBHOOK_SECRET, values.STRIPE_WEBHOOK_SECRET_SECONDARY)
    },
    refundMode: values.REFUND_MODE,
    analytics: {
      sinks: values.ANALYTICS_SINKS ?? [],
      retentionDays: values.ANALYTICS_RETENTION_DAYS
    },
    retentionDays: values.RETENTION_DAYS,
    otlpEndpoint: values.OTEL_EXPORTER_OTLP_ENDPOINT
  }
}

function tokens({ CALENDLY_API_TOKEN: primary, CALENDLY_API_TOKEN_SECONDARY: secondary }: Values) {
  return [
    ...(primary === undefined ? [] : [{ name: 'primary' as const, token: primary }]),
    ...(secondary === undefined ? [] : [{ name: 'secondary' as const, token: secondary }])
  ]
}

const present = (...secrets: (string | undefined)[]) => secrets.filter((secret) => secret !== undefined)

/** Bytes stay as they are: JavaScript cannot freeze them. */
function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  for (const member of Object.values(value)) deepFreeze(member)
  return Object.freeze(value)
}
