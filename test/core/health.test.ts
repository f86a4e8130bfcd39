import t from 'tap'
import { type CalendlyReport, createHealth } from '../../src/core/health.ts'
import { fakeSystem } from '../support/system.ts'

const key = (health: string) => ({ name: 'primary', lastFour: 'abcd', health })

function open({ isAway = false, isCurrent = true, keys = [key('ok')], failuresInARow = 0 } = {}) {
  const system = fakeSystem()
  const answer = async <T>(value: T) => {
    if (isAway) throw new Error('away')
    return value
  }
  const report: CalendlyReport = { keys, failuresInARow, requests: {} }
  const health = createHealth({
    system,
    version: '1.2.3',
    database: {
      kind: 'embedded',
      ping: () => answer(undefined),
      schemaIsCurrent: () => answer(isCurrent),
      inbox: { state: () => answer({ waiting: 2, dead: 1, lagMs: 50 }) },
      oldestUnresolved: () => answer(system.now())
    },
    calendly: { health: () => report }
  })
  return { health, system }
}

t.test('the service is ready while its database answers with the schema it needs', async (t) => {
  t.equal(await open().health.isReady(), true)
  t.equal(await open({ isAway: true }).health.isReady(), false)
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
  const { health, system } = open()
  await system.sleep(5_000)
  t.match(await health.service(true), {
    isOk: true,
    version: '1.2.3',
    uptimeMs: 5_000,
    database: { engine: 'embedded', isReachable: true },
    inbox: { waiting: 2, dead: 1, lagMs: 50 }
  })
})

t.test('health is answered without a database, as far as it is known then', async (t) => {
  const { health } = open({ isAway: true })
  t.match(await health.service(true), { isOk: false, database: { isReachable: false }, inbox: undefined })
  t.match(await health.calendly(true), { status: 'ok', inbox: undefined, oldestUnresolvedAt: undefined })
})

t.test(
  'Calendly is down without a good key or after three failures in a row, and degraded on the way',
  async (t) => {
    const status = async (options: Parameters<typeof open>[0]) =>
      (await open(options).health.calendly(true)).status
    t.equal(await status({}), 'ok')
    t.equal(await status({ failuresInARow: 1 }), 'degraded')
    t.equal(await status({ failuresInARow: 2 }), 'degraded')
    t.equal(await status({ failuresInARow: 3 }), 'down')
    t.equal(await status({ keys: [key('ok'), key('invalid')] }), 'degraded')
    t.equal(await status({ keys: [key('invalid')] }), 'down')
    t.equal(await status({ keys: [] }), 'down')
  }
)
