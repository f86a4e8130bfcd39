import t from 'tap'
import { type CalendlyReport, createHealth, type KeyReport } from '../../src/core/health.ts'
import type { SubscriptionReport } from '../../src/core/subscription.ts'
import { fakeSystem } from '../support/system.ts'

const key = (health: KeyReport['health']): KeyReport => ({ name: 'primary', lastFour: 'abcd', health })
const breaker = (name: 'reads' | 'writes', state: 'closed' | 'open' | 'half_open') => ({ name, state })
const subscription = (changes: Partial<SubscriptionReport>): SubscriptionReport => ({
  state: 'active',
  events: [],
  callbackUrl: 'https://gateway.example/api/webhooks/calendly',
  checkedAt: 1,
  ...changes
})

type Situation = Partial<CalendlyReport> & {
  /** `silent`: it neither answers nor fails. */
  database?: 'fine' | 'away' | 'silent'
  isCurrent?: boolean
  subscription?: SubscriptionReport
  rows?: KeyReport[]
}

function open({ database = 'fine', isCurrent = true, rows = [], ...rest }: Situation = {}) {
  const { subscription, ...changes } = rest
  const clock = fakeSystem()
  const silence = () => new Promise<never>(() => {})
  const system = { ...clock, sleep: database === 'silent' ? clock.sleep : silence }
  const answer = async <T>(value: T) => {
    if (database === 'away') throw new Error('away')
    return database === 'silent' ? silence() : value
  }
  const report: CalendlyReport = {
    keys: [key('ok')],
    isQuotaUsedUp: false,
    breakers: [breaker('reads', 'closed'), breaker('writes', 'closed')],
    cache: { entries: 0, bytes: 0, evicted: 0, kinds: {} },
    failuresInARow: 0,
    calls: 0,
    retries: 0,
    requests: {},
    ...changes
  }
  const health = createHealth({
    system,
    version: '1.2.3',
    database: {
      kind: 'embedded',
      ping: () => answer(undefined),
      schemaIsCurrent: () => answer(isCurrent),
      inbox: { state: () => answer({ waiting: 2, dead: 1, lagMs: 50 }) },
      eventLog: { state: () => answer({ written: 9, waiting: 0 }) },
      outbox: {
        state: () => answer({ pending: 4, dead: 3, lagMs: 70, endpoints: { enabled: 1, disabled: 0 } })
      },
      oldestUnresolved: () => answer(clock.now()),
      incidents: () => answer({ bookingOverlaps: 1, holdsLost: 2, secondPosts: 3 }),
      reconciliations: { totals: () => answer({ runs: [], differences: [], lastSuccessAt: {} }) },
      refundTotals: () => answer({ refunds: [], keysRenewed: 0, chargesDisputed: 0, tasks: 0 })
    },
    calendly: { health: () => report, quotas: () => answer([{ user: 'ada', bookings: [] }]) },
    keys: () => answer(rows),
    subscription: async () => subscription,
    attempts: () => ({ delivered: 5, failed: 6, dead: 7 })
  })
  return { health, clock }
}

t.test('the service is ready while its database answers with the schema it needs', async (t) => {
  t.equal(await open().health.isReady(), true)
  t.equal(await open({ database: 'away' }).health.isReady(), false)
  t.equal(await open({ isCurrent: false }).health.isReady(), false)
})

t.test('the service is ready whatever becomes of Calendly', async (t) => {
  t.equal(await open({ keys: [], failuresInARow: 99 }).health.isReady(), true)
})

t.test('a service that drains is not ready and not well', async (t) => {
  const { health } = open()
  health.drain()
  t.equal(await health.isReady(), false)
  t.match(await health.service(true), { isOk: false, database: { isReachable: true } })
})

t.test('the service tells its version, its age, its database and its queue', async (t) => {
  const { health, clock } = open()
  await clock.sleep(5_000)
  t.match(await health.service(true), {
    isOk: true,
    version: '1.2.3',
    uptimeMs: 5_000,
    database: { engine: 'embedded', isReachable: true },
    inbox: { waiting: 2, dead: 1, lagMs: 50 }
  })
})

for (const database of ['away', 'silent'] as const) {
  t.test(`health is answered with a database that is ${database}, as far as it is known then`, async (t) => {
    const { health } = open({ database, rows: [{ ...key('ok'), state: 'active' }] })
    t.match(await health.service(true), { isOk: false, database: { isReachable: false }, inbox: undefined })
    t.match(await health.calendlyDetails(), {
      keys: [{ name: 'primary', lastFour: 'abcd', health: 'ok', state: undefined }],
      inbox: undefined,
      quotas: undefined,
      oldestUnresolvedAt: undefined,
      incidents: undefined
    })
  })
}

t.test('of the keys those that are revoked are no matter of health', async (t) => {
  const rows = [
    { ...key('ok'), state: 'active' as const },
    { ...key('invalid'), name: 'old', state: 'revoked' as const }
  ]
  t.same((await open({ rows }).health.calendlyDetails()).keys, rows.slice(0, 1))
})

t.test('calls to Calendly are set against the requests that came in', async (t) => {
  const { health } = open({ calls: 3 })
  const ratio = async () => (await health.calendlyDetails()).callsPerRequest
  t.equal(await ratio(), 0, 'none has come in')
  for (let n = 0; n < 4; n++) health.countRequest()
  t.equal(await ratio(), 0.75)
})

const judged: Record<string, Situation[]> = {
  ok: [{}, { subscription: subscription({}) }],
  degraded: [
    { failuresInARow: 1 },
    { failuresInARow: 2 },
    { keys: [key('ok'), key('invalid')] },
    { keys: [key('cooling')] },
    { breakers: [breaker('reads', 'half_open'), breaker('writes', 'closed')] },
    { breakers: [breaker('reads', 'closed'), breaker('writes', 'open')] },
    { subscription: subscription({ state: 'disabled' }) },
    { subscription: subscription({ state: 'missing' }) },
    { subscription: subscription({ retryStartedAt: 1 }) }
  ],
  down: [
    { failuresInARow: 3 },
    { keys: [key('invalid')] },
    { keys: [] },
    { breakers: [breaker('reads', 'open'), breaker('writes', 'closed')] }
  ]
}

for (const [status, situations] of Object.entries(judged)) {
  t.test(`Calendly is ${status}`, async (t) => {
    for (const situation of situations) {
      t.equal(await open(situation).health.calendlyStatus(), status, JSON.stringify(situation))
    }
  })
}
