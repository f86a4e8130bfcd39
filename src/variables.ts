import { z } from 'zod'

// Node fires timers of 2^31 ms and more at once; this leaves room for jitter.
const longestSeconds = 1_000_000
const unitMs = { minute: 60_000, hour: 3_600_000, day: 86_400_000 }

const text = z.string()
const oneOf = <const T extends readonly string[]>(...values: T) =>
  z.enum(values, `must be one of ${values.join(', ')}`)
const matching = (pattern: RegExp, rule: string) => z.string().regex(pattern, rule)
const listOf = <T>(item: z.ZodType<T, string>) =>
  text.transform((list) => list.split(',').map((part) => part.trim())).pipe(z.array(item))

function decimal(least: number, most: number, kind = 'a number', pattern = /^\d+(\.\d+)?$/) {
  const rule = `must be ${kind} from ${least} to ${most}`
  return matching(pattern, rule).transform(Number).pipe(z.number().min(least, rule).max(most, rule))
}
const whole = (least: number, most: number) => decimal(least, most, 'a whole number', /^\d+$/)
const port = whole(0, 65_535)
const count = whole(1, 1_000_000_000)
const perMinute = whole(0, 1_000_000)
const days = whole(1, 36_500)
/** Written in seconds, read as milliseconds. */
const seconds = (least: number, most = longestSeconds) =>
  decimal(least, most, 'a number of seconds').transform((value) => Math.round(value * 1000))
const interval = seconds(0.01)
const delays = listOf(seconds(0))

const baseUrl = z
  .url({ protocol: /^https?$/, normalize: true, error: 'must be an http or https address' })
  .refine((url) => !/[?#@]/.test(url), 'must be an address without user, query or fragment')
  .transform((url) => url.replace(/\/+$/, ''))
const postgresUrl = matching(/^postgres(ql)?:\/\/\S+$/, 'must be a postgres:// or postgresql:// address')
const redisUrl = matching(/^rediss?:\/\/\S+$/, 'must be a redis:// or rediss:// address')
const visible = matching(/^[\x21-\x7e]+$/, 'must be visible ASCII characters without spaces')
// As long as the longest that a request may carry.
const callerKey = matching(
  /^[\x21-\x7e]{1,256}$/,
  'must be up to 256 visible ASCII characters without spaces'
)
const stripeKey = matching(
  /^(sk|rk)_(test|live)_\w+$/,
  'must be a key that begins with rk_ or sk_, then test_ or live_'
)
const stripeSecret = matching(/^whsec_[\x21-\x7e]+$/, 'must begin with whsec_')
const secretBytes = matching(/^[\w+/-]{43}=?$/, 'must be 32 bytes in base64').transform((base64) =>
  Buffer.from(base64, 'base64')
)

const bookingLimit = matching(
  /^[1-9]\d{0,6}\/(minute|hour|day)$/,
  'must be none, or limits a minute, hour or day'
).transform((entry) => {
  const [limit, unit] = entry.split('/') as [string, keyof typeof unitMs]
  return { limit: Number(limit), windowMs: unitMs[unit] }
})
const bookingLimits = z.union([z.literal('none').transform(() => []), listOf(bookingLimit)])

const proxyNames = z.enum(['loopback', 'linklocal', 'uniquelocal'])
const proxy = z.union([proxyNames, z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()])
const proxies = listOf(proxy.refine((range) => !range.endsWith('/0')))
// Fastify trusts nobody by a count of hops, since whoever connects directly could claim any address.
const trustProxy = z.union(
  [z.stringbool({ truthy: ['true'], falsy: ['false'] }), proxies],
  'must be true, false or the addresses of the proxies'
)

/** `value` is what an unset variable means, written as in the environment. */
const given = <T>(format: z.ZodType<T, string>, value: string, about: string) => ({
  format: format.prefault(value),
  value,
  about
})
const optional = <T>(format: z.ZodType<T, string>, example: string, about: string) => ({
  format: format.optional(),
  example,
  about
})
/** Production does not start without it, or its `_SECONDARY`. */
const needed = <T>(variable: T) => ({ ...variable, needed: true as const })
/** Checked, but nothing reads it yet. */
const later = <T>(variable: T) => ({ ...variable, later: true as const })

const randomHex = 'what `openssl rand -hex 32` prints'
const randomBase64 = 'what `openssl rand -base64 32` prints'

/** Every variable of the environment, in the order of `.env.example`, which is made from this table. */
export const variables = {
  APP_ENV: given(oneOf('development', 'staging', 'production'), 'development', 'Where this runs.'),
  HOST: optional(
    text,
    '0.0.0.0',
    'Address to listen on; unset, 127.0.0.1 in development and 0.0.0.0 elsewhere.'
  ),
  PORT: given(port, '3000', 'Port to listen on; 0 takes a free one.'),
  METRICS_PORT: optional(
    port,
    '9090',
    'A port of its own for the metrics; unset, they are at /metrics of the main one.'
  ),
  LOG_LEVEL: given(
    oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    'info',
    'The least that is logged.'
  ),
  PUBLIC_URL: needed(
    optional(
      baseUrl,
      'https://booking.example.com',
      'Where Calendly reaches this service; only with it a webhook subscription is kept. https in production.'
    )
  ),
  TRUST_PROXY: given(
    trustProxy,
    'false',
    'Whose X-Forwarded-* headers count: true, false or the proxies, as in 10.0.0.0/8,loopback'
  ),

  DATABASE_URL: needed(
    optional(
      postgresUrl,
      'postgres://gateway:secret@db.example.com/gateway',
      'PostgreSQL 15 or newer; unset, a database embedded in this one process.'
    )
  ),
  DATA_DIR: given(text, './data', 'Folder of the embedded database and of the keys development makes.'),
  REDIS_URL: optional(
    redisUrl,
    'redis://cache.example.com:6379',
    'Redis or Valkey, where replicas share rate limits.'
  ),

  ADMIN_API_KEY: needed(
    optional(callerKey, randomHex, 'A caller key with every scope; in production 32 characters or more.')
  ),
  ENCRYPTION_KEY: needed(
    optional(secretBytes, randomBase64, 'Encrypts the secrets that are stored: 32 bytes in base64.')
  ),
  ENCRYPTION_KEY_PREVIOUS: optional(
    secretBytes,
    randomBase64,
    'The key before, for reading what it encrypted until that has been encrypted anew.'
  ),

  RATE_LIMIT_PER_MINUTE: given(perMinute, '600', 'Requests a minute from one caller; 0 is no limit.'),
  RATE_LIMIT_PER_ADDRESS: given(perMinute, '1200', 'Requests a minute from one address; 0 is no limit.'),
  MAX_IN_FLIGHT: given(count, '2000', 'Requests at once; beyond them callers are told to come back.'),

  CALENDLY_API_BASE_URL: given(baseUrl, 'https://api.calendly.com', 'Calendly, or a stand-in for it.'),
  CALENDLY_API_TOKEN: needed(optional(visible, 'eyJraWQiOiIx…', 'A personal access token.')),
  CALENDLY_API_TOKEN_SECONDARY: optional(
    visible,
    'eyJraWQiOiIy…',
    'Another of the same organization, for when the first is refused.'
  ),
  CALENDLY_WEBHOOK_SIGNING_KEY: needed(
    optional(
      visible,
      randomHex,
      'What Calendly’s webhooks are signed with; the subscription made on start carries it.'
    )
  ),
  CALENDLY_WEBHOOK_SIGNING_KEY_SECONDARY: optional(
    visible,
    randomHex,
    'Accepted as well, while keys are rotated.'
  ),
  CALENDLY_WEBHOOK_TOLERANCE_SECONDS: given(
    seconds(1, 86_400),
    '180',
    'How far from now a webhook’s timestamp may be, before or after.'
  ),
  CALENDLY_CACHE_TTL: given(
    seconds(0, 86_400),
    '15',
    'Seconds for which Calendly’s availability counts as fresh.'
  ),
  CALENDLY_CACHE_MAX_ENTRIES: given(
    count,
    '10000',
    'Answers of Calendly kept in memory; a day of an event type’s times is one.'
  ),
  CALENDLY_CACHE_MAX_BYTES: given(count, '67108864', 'Their size, about.'),
  CALENDLY_WINDOW_DAYS: given(whole(1, 31), '31', 'Days of availability asked for in one call.'),
  CALENDLY_BOOKING_LIMITS: given(
    bookingLimits,
    '10/minute,50/hour,100/day',
    'Bookings Calendly takes from one user; none leaves the counting to Calendly.'
  ),
  CALENDLY_QUOTA_SHARE: given(decimal(0.01, 1), '0.8', 'The part of Calendly’s request quota that is ours.'),
  CALENDLY_MAX_USAGE_PER_KEY: given(count, '10000', 'Calls after which a token should be replaced.'),
  CALENDLY_KEY_MAX_AGE_DAYS: given(days, '90', 'Age at which a token should be replaced.'),
  CALENDLY_KEY_PROBE_SECONDS: given(
    interval,
    '900',
    'How often a refused token is tried again; at least every 10 s while none works.'
  ),

  BOOKING_LOOKUP_SECONDS: given(delays, '1,5,15,60,300', 'When to look for a booking whose answer was lost.'),
  BOOKING_ABSENCE_SECONDS: given(
    seconds(0),
    '15',
    'Time between the two looks that prove that it was not made.'
  ),
  BOOKING_ATTENTION_SECONDS: given(interval, '900', 'Age at which a booking in doubt is left to a person.'),
  SWEEP_INTERVAL_SECONDS: given(interval, '10', 'How often what a crash left behind is picked up.'),
  SUBSCRIPTION_CHECK_SECONDS: given(interval, '60', 'How often the webhook subscription is checked.'),
  RECONCILIATION_INTERVAL_SECONDS: given(
    interval,
    '3600',
    'How often bookings are compared with Calendly’s.'
  ),
  EVENT_RETRY_SECONDS: given(
    delays,
    '0,5,300,1800,7200,18000,36000,50400,72000,86400',
    'Waits before each attempt to deliver an event; the first is made at once.'
  ),
  DRAIN_SECONDS: given(seconds(0, 3600), '5', 'How long requests are still served after SIGTERM.'),

  STRIPE_SECRET_KEY: optional(
    stripeKey,
    'rk_live_…',
    'A key of the Stripe account that refunds, best a restricted one; unset, nothing is refunded.'
  ),
  STRIPE_WEBHOOK_SECRET: optional(stripeSecret, 'whsec_…', 'What Stripe’s webhooks are signed with.'),
  STRIPE_WEBHOOK_SECRET_SECONDARY: optional(
    stripeSecret,
    'whsec_…',
    'Accepted as well, while secrets are rotated.'
  ),
  STRIPE_API_BASE_URL: given(baseUrl, 'https://api.stripe.com', 'Stripe, or a stand-in for it.'),
  REFUND_MODE: given(
    oneOf('automatic', 'approval'),
    'automatic',
    'Whether a refund that is due waits for approval.'
  ),

  ANALYTICS_SINKS: later(optional(listOf(text), 'log', 'Where analytics events go besides the database.')),
  ANALYTICS_RETENTION_DAYS: later(given(days, '365', 'Days that figures without a person in them are kept.')),
  RETENTION_DAYS: given(days, '90', 'Days that deliveries, events and journeys are kept.'),
  OTEL_EXPORTER_OTLP_ENDPOINT: later(
    optional(baseUrl, 'http://collector.example.com:4318', 'Where traces are sent.')
  )
}

export type VariableName = keyof typeof variables
