import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import t, { type Test } from 'tap'
import { loadConfig, missingFeatures } from '../src/config.ts'
import { variables } from '../src/variables.ts'

const production = {
  APP_ENV: 'production',
  PUBLIC_URL: 'https://booking.example.com',
  DATABASE_URL: 'postgres://gateway@db.example.com/gateway',
  ADMIN_API_KEY: 'a'.repeat(32),
  ENCRYPTION_KEY: Buffer.alloc(32, 7).toString('base64'),
  CALENDLY_API_TOKEN: 'token',
  CALENDLY_WEBHOOK_SIGNING_KEY: 'signing'
}

/** The lines of the refusal, or nothing when the configuration is accepted. */
function faultsOf(env: Record<string, string | undefined>): string[] {
  try {
    loadConfig(env)
    return []
  } catch (error) {
    const [, ...lines] = String(error).split('\n')
    return lines.map((line) => line.trim())
  }
}
const faultyVariables = (env: Record<string, string | undefined>) =>
  faultsOf(env).map((line) => line.split(' ')[0])

/** Asserts for each value of the variable whether it is accepted. */
function judge(t: Test, name: string, { accepted, refused }: { accepted: string[]; refused: string[] }) {
  for (const value of accepted) t.same(faultyVariables({ [name]: value }), [], `${name}=${value}`)
  for (const value of refused) t.same(faultyVariables({ [name]: value }), [name], `not ${name}=${value}`)
}

t.test('development starts with no variable at all', async (t) => {
  const config = loadConfig({})
  t.match(config, {
    env: 'development',
    host: '127.0.0.1',
    port: 3000,
    trustProxy: false,
    database: { url: undefined, dataDir: './data' },
    limits: { perCallerPerMinute: 600, perAddressPerMinute: 1200, maxInFlight: 2000 },
    calendly: { baseUrl: 'https://api.calendly.com', webhookToleranceMs: 180_000, windowDays: 31 },
    schedules: { bookingLookupMs: [1_000, 5_000, 15_000, 60_000, 300_000], sweepMs: 10_000, drainMs: 5_000 }
  })
  t.same([config.calendly.tokens, config.calendly.signingKeys], [[], []])
})

t.test('outside development the service listens on every address', async (t) => {
  t.equal(loadConfig({ APP_ENV: 'staging' }).host, '0.0.0.0')
  t.equal(loadConfig(production).host, '0.0.0.0')
  t.equal(loadConfig({ ...production, HOST: '10.1.2.3' }).host, '10.1.2.3')
})

t.test('an empty variable counts as unset and an unknown one is ignored', async (t) => {
  t.same(loadConfig({ PORT: '', CALENDLY_API_TOKEN: '  ', PATH: '/bin', CALENDLY_TYPO: 'x' }), loadConfig({}))
})

t.test('the configuration cannot be changed, however deep', async (t) => {
  const config = loadConfig(production)
  t.throws(() => Object.assign(config, { port: 1 }), TypeError)
  t.throws(() => Object.assign(config.calendly, { baseUrl: 'http://elsewhere' }), TypeError)
  t.throws(() => config.calendly.signingKeys.push('another'), TypeError)
  t.throws(() => Object.assign(config.calendly.tokens[0] ?? {}, { token: 'another' }), TypeError)
})

t.test('every fault is named at once: the variable, what is wrong, an example', async (t) => {
  t.same(
    faultsOf({ PORT: '80a', LOG_LEVEL: 'loud', SWEEP_INTERVAL_SECONDS: '0', DATABASE_URL: 'mysql://db' }),
    [
      'PORT must be a whole number from 0 to 65535, for example 3000',
      'LOG_LEVEL must be one of fatal, error, warn, info, debug, trace, silent, for example info',
      'DATABASE_URL must be a postgres:// or postgresql:// address, for example postgres://gateway:secret@db.example.com/gateway',
      'SWEEP_INTERVAL_SECONDS must be a number of seconds from 0.01 to 1000000, for example 10'
    ]
  )
})

t.test('production names everything it lacks at once', async (t) => {
  t.same(faultsOf(production), [])
  t.same(faultyVariables({ APP_ENV: 'production' }), [
    'PUBLIC_URL',
    'DATABASE_URL',
    'ADMIN_API_KEY',
    'ENCRYPTION_KEY',
    'CALENDLY_API_TOKEN',
    'CALENDLY_WEBHOOK_SIGNING_KEY'
  ])
  for (const name of Object.keys(production).filter((name) => name !== 'APP_ENV')) {
    t.same(faultyVariables({ ...production, [name]: '' }), [name], `${name} is needed`)
  }
})

t.test('production names lacks and faults together, each variable once', async (t) => {
  t.same(
    faultyVariables({
      ...production,
      PORT: '-1',
      DATABASE_URL: 'localhost',
      ENCRYPTION_KEY: '',
      PUBLIC_URL: 'HTTP://booking.example.com',
      ADMIN_API_KEY: 'a'.repeat(31)
    }),
    ['PORT', 'DATABASE_URL', 'ENCRYPTION_KEY', 'PUBLIC_URL', 'ADMIN_API_KEY']
  )
})

t.test('in production a secondary token or signing key alone is enough', async (t) => {
  const { CALENDLY_API_TOKEN, CALENDLY_WEBHOOK_SIGNING_KEY, ...others } = production
  const config = loadConfig({
    ...others,
    CALENDLY_API_TOKEN_SECONDARY: CALENDLY_API_TOKEN,
    CALENDLY_WEBHOOK_SIGNING_KEY_SECONDARY: CALENDLY_WEBHOOK_SIGNING_KEY
  })
  t.same(config.calendly.tokens, [{ name: 'secondary', token: 'token' }])
  t.same(config.calendly.signingKeys, ['signing'])
})

t.test('no value is ever repeated in a refusal', async (t) => {
  const canary = 'canary value'
  const everything = Object.fromEntries(Object.keys(variables).map((name) => [name, canary]))
  const refusals = [faultsOf(everything), faultsOf({ ...everything, APP_ENV: 'production' })]
  for (const lines of refusals) {
    t.ok(lines.length > 30)
    t.notMatch(lines.join('\n'), canary)
  }
})

t.test('times are written in seconds, fractions allowed, and read as milliseconds', async (t) => {
  const { schedules, calendly } = loadConfig({
    SWEEP_INTERVAL_SECONDS: '0.5',
    BOOKING_LOOKUP_SECONDS: '0, 0.25,2',
    CALENDLY_CACHE_TTL: '0'
  })
  t.same([schedules.sweepMs, schedules.bookingLookupMs, calendly.cacheTtlMs], [500, [0, 250, 2_000], 0])
  // Longer ones would overflow Node's timers; of the rest, some are what Number() would take.
  judge(t, 'SWEEP_INTERVAL_SECONDS', {
    accepted: ['0.01', '1000000'],
    refused: ['0', '0.001', '1000001', '-1', '1e3', '0x10', 'Infinity', '5s']
  })
  judge(t, 'BOOKING_LOOKUP_SECONDS', { accepted: ['1'], refused: ['1,,2', '1;2', ','] })
})

t.test('proxies are named by address, since a count of hops proves nothing', async (t) => {
  t.equal(loadConfig({ TRUST_PROXY: 'true' }).trustProxy, true)
  t.equal(loadConfig({ TRUST_PROXY: 'false' }).trustProxy, false)
  t.same(loadConfig({ TRUST_PROXY: '10.0.0.0/8, ::1, loopback' }).trustProxy, [
    '10.0.0.0/8',
    '::1',
    'loopback'
  ])
  judge(t, 'TRUST_PROXY', {
    accepted: ['192.168.1.1'],
    refused: ['1', '10.0.0.0/33', '0.0.0.0/0', 'proxy.example.com']
  })
})

t.test('addresses are complete, of the right kind and without a slash at the end', async (t) => {
  t.equal(loadConfig({ PUBLIC_URL: 'http://localhost:3000/' }).publicUrl, 'http://localhost:3000')
  t.equal(
    loadConfig({ CALENDLY_API_BASE_URL: 'http://127.0.0.1:4010//' }).calendly.baseUrl,
    'http://127.0.0.1:4010'
  )
  judge(t, 'PUBLIC_URL', {
    accepted: ['https://example.com/booking'],
    refused: [
      'example.com',
      'ftp://example.com',
      'https://',
      'https://a:b@example.com',
      'https://example.com?a=b'
    ]
  })
  judge(t, 'DATABASE_URL', {
    accepted: ['postgresql://db/gateway', 'postgres:///gateway?host=/run/postgresql'],
    refused: ['db.example.com', 'mysql://db']
  })
  judge(t, 'REDIS_URL', {
    accepted: ['redis://cache', 'rediss://cache:6380'],
    refused: ['cache:6379', 'http://cache']
  })
})

t.test('an encryption key is exactly 32 bytes of base64', async (t) => {
  const key = Buffer.from(Array.from({ length: 32 }, (_, index) => 255 - index))
  for (const encoding of ['base64', 'base64url'] as const) {
    t.same(loadConfig({ ENCRYPTION_KEY: key.toString(encoding) }).encryptionKey, key)
  }
  judge(t, 'ENCRYPTION_KEY', {
    accepted: [],
    refused: [
      '0'.repeat(64),
      Buffer.alloc(31).toString('base64'),
      Buffer.alloc(33).toString('base64'),
      'password'
    ]
  })
})

t.test('booking limits are counts per window, or none', async (t) => {
  t.same(loadConfig({ CALENDLY_BOOKING_LIMITS: '10/minute, 50/hour,100/day' }).calendly.bookingLimits, [
    { limit: 10, windowMs: 60_000 },
    { limit: 50, windowMs: 3_600_000 },
    { limit: 100, windowMs: 86_400_000 }
  ])
  t.same(loadConfig({ CALENDLY_BOOKING_LIMITS: 'none' }).calendly.bookingLimits, [])
  judge(t, 'CALENDLY_BOOKING_LIMITS', {
    accepted: [],
    refused: ['0/minute', '10', '10/week', '1.5/day', 'none,1/day']
  })
})

t.test('the two tokens and the two signing keys keep their order', async (t) => {
  const { calendly } = loadConfig({
    CALENDLY_API_TOKEN_SECONDARY: 'b',
    CALENDLY_API_TOKEN: 'a',
    CALENDLY_WEBHOOK_SIGNING_KEY_SECONDARY: 'd',
    CALENDLY_WEBHOOK_SIGNING_KEY: 'c'
  })
  t.same(calendly.tokens, [
    { name: 'primary', token: 'a' },
    { name: 'secondary', token: 'b' }
  ])
  t.same(calendly.signingKeys, ['c', 'd'])
})

t.test('a token that cannot stand in a header is refused on start, not on the first call', async (t) => {
  judge(t, 'CALENDLY_API_TOKEN', { accepted: ['ey.J-_9'], refused: ['two words', 'a\nb', 'clé', 'eyJ…'] })
})

t.test('keys and secrets of Stripe have its shape, so that one is not taken for another', async (t) => {
  judge(t, 'STRIPE_SECRET_KEY', {
    accepted: ['rk_live_51Abc', 'rk_test_51Abc', 'sk_live_51Abc', 'sk_test_51Abc'],
    refused: [
      'pk_live_51Abc',
      'rk_live_',
      'rk_51Abc',
      'whsec_abc',
      'sk_org_live_51Abc',
      'rk_live_a b',
      'rk_live_…'
    ]
  })
  judge(t, 'STRIPE_WEBHOOK_SECRET', {
    accepted: ['whsec_5f+/='],
    refused: ['rk_live_51Abc', 'whsec_', 'whsec_…']
  })
  const { stripe } = loadConfig({
    STRIPE_WEBHOOK_SECRET_SECONDARY: 'whsec_b',
    STRIPE_WEBHOOK_SECRET: 'whsec_a'
  })
  t.match(stripe, { baseUrl: 'https://api.stripe.com', webhookSecrets: ['whsec_a', 'whsec_b'] })
})

t.test('production sends no key of Stripe over plain http', async (t) => {
  const plain = { ...production, STRIPE_API_BASE_URL: 'http://stripe.example.com' }
  t.same(faultyVariables({ ...plain, STRIPE_SECRET_KEY: 'rk_live_51Abc' }), ['STRIPE_API_BASE_URL'])
  t.same(faultyVariables(plain), [])
})

t.test('the example of a secret, copied as it stands, is no secret', async (t) => {
  for (const [name, variable] of Object.entries(variables)) {
    if (!('example' in variable) || !variable.example.includes('`')) continue
    t.same(faultyVariables({ [name]: variable.example }), [name])
  }
})

t.test('what is missing names the variable that would mend it', async (t) => {
  const missing = missingFeatures(loadConfig({}), { hasCalendlyKey: false })
  t.match(missing, [/CALENDLY_API_TOKEN/, /CALENDLY_WEBHOOK_SIGNING_KEY/, /PUBLIC_URL/])
  t.equal(missing.length, 3)
  t.same(missingFeatures(loadConfig(production), { hasCalendlyKey: true }), [])
})

t.test('.env.example lists every variable, in order, with its default', async (t) => {
  const file = join(import.meta.dirname, '../.env.example')
  if (process.env.TAP_SNAPSHOT === '1') writeFileSync(file, envExample())
  t.equal(
    readFileSync(file, 'utf8'),
    envExample(),
    'to write it anew: TAP_SNAPSHOT=1 npx tap test/config.test.ts'
  )
})

t.test('.env.example, used as it is, changes nothing', async (t) => {
  t.same(loadConfig(parseEnv(envExample())), loadConfig({}))
})

t.test('the examples of a refusal are themselves accepted', async (t) => {
  for (const [name, variable] of Object.entries(variables)) {
    if ('value' in variable || /[`…]/.test(variable.example)) continue
    t.same(faultsOf({ [name]: variable.example }), [], `${name}=${variable.example}`)
  }
})

function envExample(): string {
  const header = [
    '# Copy this to .env and change what you need; npm start reads it.',
    '# An empty variable counts as unset. Development needs none of them.'
  ].join('\n')
  const entries = Object.entries(variables).map(([name, variable]) => {
    const remarks = [
      variable.about,
      'example' in variable ? `For example ${variable.example}` : '',
      'needed' in variable ? 'Needed in production.' : '',
      'later' in variable ? 'Not used yet.' : ''
    ]
    const comment = remarks.filter(Boolean).map((remark) => `# ${remark}\n`)
    return `${comment.join('')}${name}=${'value' in variable ? variable.value : ''}`
  })
  return `${[header, ...entries].join('\n\n')}\n`
}
