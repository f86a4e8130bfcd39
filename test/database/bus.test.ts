import { setImmediate } from 'node:timers/promises'
import { sql } from 'kysely'
import t from 'tap'
import { realSystem } from '../../src/core/system.ts'
import { type Bus, openBus, silentBus } from '../../src/database/bus.ts'
import { type Engine, openEngine } from '../../src/database/engine.ts'
import { engines, type Test, testDatabase } from '../support/database.ts'
import { openNetwork } from '../support/network.ts'
import { openProxy } from '../support/proxy.ts'
import { until } from '../support/service.ts'

const postgresql = engines.includes('postgresql') ? {} : { skip: 'TEST_DATABASE_URL is not set' }

const missed = '(missed)'

/** What a listener is told, in order. */
function listenTo(bus: Bus) {
  const told: string[] = []
  bus.listen(
    (text) => told.push(text),
    () => told.push(missed)
  )
  return {
    told,
    isTold: async (text: string) => {
      while (!told.includes(text)) await setImmediate()
    }
  }
}

const listening = sql`from pg_stat_activity
  where datname = current_database() and application_name = 'calendly-gateway bus'`

/** How many listen. */
async function connections({ db }: Engine): Promise<number> {
  const { rows } = await sql<{ count: number }>`select count(*) as count ${listening}`.execute(db)
  return rows[0]?.count ?? 0
}

/** Ends the connections of all who listen. */
async function cut({ db }: Engine): Promise<void> {
  await sql`select pg_terminate_backend(pid, 5000) ${listening}`.execute(db)
}

t.test('the bus', postgresql, async (t) => {
  const database = await testDatabase(t, 'postgresql')
  const { url = '' } = database
  const engine = await openEngine(database)
  t.teardown(() => engine.close())
  /** A replica's. */
  const open = async (t: Test, overrides: Partial<Parameters<typeof openBus>[0]> = {}) => {
    const log = { warn: () => {} }
    const bus = await openBus({ url, db: engine.db, system: realSystem, log, ...overrides })
    t.teardown(() => bus.close())
    return { ...bus, ...listenTo(bus) }
  }

  t.test('brings news to every replica, in order', async (t) => {
    const [one, other] = [await open(t), await open(t)]
    const texts = Array.from({ length: 20 }, (_, n) => `news ${n}`)
    for (const text of texts) {
      one.publish(text)
      await other.isTold(text)
    }
    await one.isTold('news 19')
    t.same([one.told, other.told], [texts, texts])
  })

  t.test('says so when news may have been missed, and goes on', async (t) => {
    const [one, other] = [await open(t), await open(t)]
    await cut(engine)
    await Promise.all([one.isTold(missed), other.isTold(missed)])
    one.publish('heard again')
    await Promise.all([one.isTold('heard again'), other.isTold('heard again')])
    t.same(other.told, [missed, 'heard again'])
  })

  t.test('notices a server that has fallen silent', async (t) => {
    const network = await openNetwork(t, url)
    const bus = await open(t, { url: network.url, silenceMs: 100 })
    network.loseEverything()
    await bus.isTold(missed)
    bus.publish('heard again')
    await bus.isTold('heard again')
    t.equal(bus.told.at(-1), 'heard again')
  })

  t.test('opens without its server, and listens once there is one', async (t) => {
    const proxy = await openProxy(t, url)
    proxy.cut()
    const bus = await open(t, { url: proxy.url })
    proxy.mend()
    await bus.isTold(missed)
    bus.publish('in time')
    await bus.isTold('in time')
    t.same(bus.told, [missed, 'in time'])
  })

  t.test('tries again ever more slowly, with jitter', async (t) => {
    const proxy = await openProxy(t, url)
    proxy.cut()
    const slept: number[] = []
    const enough = Promise.withResolvers<void>()
    const bus = await open(t, {
      url: proxy.url,
      system: {
        random: () => 0.5,
        sleep: async (ms, signal) => {
          slept.push(ms)
          if (slept.length < 9) return
          enough.resolve()
          // For ever, unless it is closed.
          await realSystem.sleep(2 ** 30, signal)
        }
      }
    })
    await enough.promise
    t.same(slept, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000])
    await bus.close()
  })

  t.test('brings a text that is too long for it as news missed', async (t) => {
    const bus = await open(t)
    const longest = 'é'.repeat(3999)
    bus.publish(longest)
    await bus.isTold(longest)
    bus.publish(`${longest}é`)
    await bus.isTold(missed)
    t.same(bus.told, [longest, missed])
  })

  t.test('outlives a listener that throws', async (t) => {
    const warnings: string[] = []
    const bus = await open(t, { log: { warn: (_, phrase) => warnings.push(phrase) } })
    bus.listen(
      () => {
        throw new Error('What is that?')
      },
      () => {}
    )
    const last = listenTo(bus)
    bus.publish('news')
    await last.isTold('news')
    t.same(warnings, ['news from other replicas not understood'])
  })

  t.test('never throws for what it cannot publish', async (t) => {
    const warned = Promise.withResolvers<string>()
    const bus = await open(t, { log: { warn: (_, phrase) => warned.resolve(phrase) } })
    await engine.transaction(async () => bus.publish('of what is not committed'))
    t.equal(await warned.promise, 'news for other replicas not sent')
    bus.publish('news')
    await bus.isTold('news')
    t.same(bus.told, ['news'])
  })

  t.test('leaves no connection behind', async (t) => {
    const buses = [await open(t), await open(t)]
    t.equal(await connections(engine), 2)
    await Promise.all(buses.map(({ close }) => close()))
    await t.resolves(
      until(
        () => connections(engine),
        (count) => count === 0
      )
    )
  })

  t.test('is closed without a word from its server', async (t) => {
    const network = await openNetwork(t, url)
    const bus = await open(t, { url: network.url, silenceMs: 2 ** 30 })
    network.loseEverything()
    await t.resolves(bus.close())
  })
})

t.test('where one process is all there is, there is nobody to tell', async (t) => {
  const { told } = listenTo(silentBus)
  silentBus.publish('news')
  await silentBus.close()
  t.same(told, [])
})
