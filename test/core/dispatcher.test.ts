import { sql } from 'kysely'
import t from 'tap'
import { createDispatcher, type DueDelivery, type Outbox } from '../../src/core/dispatcher.ts'
import type { Attempt } from '../../src/core/event-endpoint.ts'
import { retryInMs } from '../../src/core/event-retries.ts'
import { openOutbox } from '../support/outbox.ts'
import { fakeSystem } from '../support/system.ts'

const waitsMs = [
  0, 5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 50_400_000, 72_000_000, 86_400_000
]
const hourMs = 3_600_000
const delivered: Attempt = { kind: 'delivered', status: 204, durationMs: 3 }
const failed: Attempt = { kind: 'failed', status: 500, error: 'answered 500', durationMs: 3 }
const gone: Attempt = { kind: 'failed', status: 410, error: 'answered 410', durationMs: 3 }
const silent = { warn: () => {}, error: () => {} }
/** Waits for ever for what is in flight. */
const patient = { ...fakeSystem(), sleep: () => new Promise<never>(() => {}) }
const vault = { open: (sealed: Buffer) => `opened ${sealed}` }

t.test('waits between attempts', async (t) => {
  const random = (value: number) => ({ random: () => value })

  t.test('follow the schedule, ten per cent more or less', async (t) => {
    for (const [attempts, waitMs] of waitsMs.entries()) {
      if (attempts === 0) continue
      t.equal(retryInMs(waitsMs, { attempts }, random(0)), waitMs * 0.9)
      t.equal(retryInMs(waitsMs, { attempts }, random(0.5)), waitMs)
      t.equal(retryInMs(waitsMs, { attempts }, random(1)), Math.round(waitMs * 1.1))
    }
    t.equal(retryInMs(waitsMs, { attempts: 10 }, random(0)), undefined, 'there is no eleventh')
  })

  t.test('are as long as the answer asks for, but never shorter or beyond all measure', async (t) => {
    const after = (retryAfterMs: number) => retryInMs(waitsMs, { attempts: 1, retryAfterMs }, random(0.5))
    t.equal(after(1_000), 5_000)
    t.equal(after(60_000), 60_000)
    t.equal(after(999 * 24 * hourMs), 24 * hourMs)
    t.equal(retryInMs(waitsMs, { attempts: 10, retryAfterMs: 1_000 }, random(0.5)), undefined)
  })
})

t.test('an endpoint that never takes an event is tried ten times, at these moments', async (t) => {
  const system = fakeSystem()
  const startedAt = system.now()
  const sentAt: number[] = []
  const row = { attempts: 0, dueAt: startedAt as number | undefined }
  const delivery: Omit<DueDelivery, 'attempts'> = {
    endpoint: { tenantId: 'default', id: 'ep_1', url: 'https://shop.example.com' },
    secrets: [],
    event: { id: 'evt_1', body: Buffer.from('{}') },
    leaseUntil: 0
  }
  /** Keeps the one row by the fake clock. */
  const outbox: Outbox = {
    claim: async () => {
      if (row.dueAt === undefined || row.dueAt > system.now()) return []
      row.dueAt = system.now() + 20_000
      return [{ ...delivery, attempts: row.attempts }]
    },
    succeed: async () => {},
    fail: async (_delivery, _attempt, retryInMs) => {
      row.attempts++
      row.dueAt = retryInMs === undefined ? undefined : system.now() + retryInMs
      return { failingForMs: 0 }
    },
    giveBack: async () => {}
  }
  const dispatcher = createDispatcher({
    ...{ system, outbox, vault, waitsMs, log: silent },
    transact: async () => {
      throw new Error('nothing is to be disabled')
    },
    send: async () => {
      sentAt.push(system.now() - startedAt)
      return failed
    }
  })
  while (row.dueAt !== undefined) {
    await system.sleep(row.dueAt - system.now())
    const ended = Promise.withResolvers<void>()
    t.equal(await dispatcher.dispatch(ended.resolve), true)
    await ended.promise
  }
  const sums = waitsMs.map((_, n) => waitsMs.slice(0, n + 1).reduce((sum, waitMs) => sum + waitMs, 0))
  t.same(sentAt, sums)
  t.same(dispatcher.outcomes(), { delivered: 0, failed: 9, dead: 1 })
})

t.test('the dispatcher', async (t) => {
  const stage = await openOutbox(t)
  const { db, outbox, transact, addEndpoint, queue, rowsOf } = stage
  t.beforeEach(stage.clear)

  type Sent = { endpoint: string; event: string; secrets: readonly string[] }

  /** A dispatcher whose endpoints answer by what is in `answers`, the next one each; then all is well. */
  function open(answers: readonly (Attempt | Promise<Attempt>)[] = [], overrides: Partial<Deps> = {}) {
    const left = [...answers]
    const sent: Sent[] = []
    const logged: string[] = []
    const log = { warn: (_: object, phrase: string) => logged.push(phrase) }
    const dispatcher = createDispatcher({
      ...{ system: patient, outbox, transact, vault, waitsMs },
      log: { ...log, error: log.warn },
      send: async ({ id }, secrets, event) => {
        sent.push({ endpoint: id, event: event.id, secrets })
        return left.shift() ?? delivered
      },
      ...overrides
    })
    /** Until nothing is due and nothing in flight. */
    const run = async () => {
      while (await dispatcher.dispatch(() => {})) await dispatcher.finish()
    }
    return { ...dispatcher, run, sent, logged }
  }
  type Deps = Parameters<typeof createDispatcher>[0]

  t.test('sends what is due, signed with every secret, and keeps that it arrived', async (t) => {
    await addEndpoint('ep_1')
    const id = await queue(['ep_1'])
    const { run, sent, outcomes } = open()
    await run()
    t.same(sent, [{ endpoint: 'ep_1', event: id, secrets: ['opened secret of ep_1'] }])
    t.match(await rowsOf('ep_1'), [{ status: 'succeeded', attempts: 1, due_at: null, last_status: 204 }])
    t.same(outcomes(), { delivered: 1, failed: 0, dead: 0 })
  })

  t.test('obeys what an answer asks for', async (t) => {
    await addEndpoint('ep_1')
    await queue(['ep_1'])
    await open([{ ...failed, status: 429, error: 'answered 429', retryAfterMs: hourMs }]).run()
    const [row] = await rowsOf('ep_1')
    t.match(row, { status: 'pending', attempts: 1, last_status: 429 })
    const waitMs = (row?.due_at ?? 0) - Date.now()
    t.ok(Math.abs(waitMs - hourMs) < 60_000, String(waitMs))
  })

  t.test('gives up after the last attempt, and says so', async (t) => {
    await addEndpoint('ep_1')
    await queue(['ep_1'])
    await sql`update event_deliveries set attempts = 9`.execute(db)
    const { run, logged, outcomes } = open([failed])
    await run()
    t.match(await rowsOf('ep_1'), [
      { status: 'failed', attempts: 10, due_at: null, last_error: 'answered 500' }
    ])
    t.same(logged, ['event is dead'])
    t.same(outcomes(), { delivered: 0, failed: 0, dead: 1 })
    t.equal((await stage.endpoint('ep_1'))?.status, 'enabled')
  })

  t.test('a slow endpoint has four attempts to itself and delays nobody else', async (t) => {
    await addEndpoint('ep_slow')
    await addEndpoint('ep_fast')
    for (let n = 0; n < 10; n++) await queue(['ep_slow', 'ep_fast'], { subject: `bkg_${n}` })
    const hang = Promise.withResolvers<Attempt>()
    const sent: string[] = []
    const fastDone = Promise.withResolvers<void>()
    const dispatcher = createDispatcher({
      ...{ system: fakeSystem(), outbox, transact, vault, waitsMs, log: silent },
      send: ({ id }) => {
        sent.push(id)
        return id === 'ep_slow' ? hang.promise : Promise.resolve(delivered)
      }
    })
    const count = (id: string) => sent.filter((one) => one === id).length
    const work = async () => {
      while (await dispatcher.dispatch(onEnd)) {}
      if (count('ep_fast') === 10) fastDone.resolve()
    }
    const onEnd = () => void work()
    await work()
    await fastDone.promise
    t.equal(count('ep_slow'), 4)
    hang.resolve(delivered)
    await dispatcher.finish()
  })

  t.test('an endpoint that is gone is disabled, and told nothing that was left', async (t) => {
    await addEndpoint('ep_1')
    await addEndpoint('ep_2', { types: ['event_endpoint.disabled'] })
    const [id, later] = [await queue(['ep_1']), await queue(['ep_1'])]
    const { run, sent } = open([gone])
    await run()
    t.same(
      sent.map(({ event }) => event),
      [id]
    )
    t.match(await stage.endpoint('ep_1'), { status: 'disabled', reason: 'gone' })
    t.match(await rowsOf('ep_1'), [
      { event: id, status: 'failed', attempts: 1, due_at: null, last_status: 410 },
      { event: later, status: 'failed', attempts: 0, due_at: null, last_error: 'endpoint disabled' }
    ])
    const news = await db
      .selectFrom('events')
      .selectAll()
      .where('position', 'is', null)
      .executeTakeFirstOrThrow()
    t.match(JSON.parse(String(news.body)), {
      type: 'event_endpoint.disabled',
      subject: 'ep_1',
      data: { endpoint: { id: 'ep_1', status: 'disabled', disabled_reason: 'gone' } }
    })
  })

  t.test(
    'an endpoint that has failed for five days is disabled, once, and not a moment before',
    async (t) => {
      await addEndpoint('ep_1')
      const fail = async (seconds: number) => {
        await sql`update event_endpoints set failing_since = now() - ${seconds} * interval '1 second'`.execute(
          db
        )
        for (let n = 0; n < 3; n++) await queue(['ep_1'], { subject: `bkg_${n}` })
        await open([failed, failed, failed]).run()
      }
      await fail(5 * 86_400 - 60)
      t.equal((await stage.endpoint('ep_1'))?.status, 'enabled')
      await fail(5 * 86_400)
      t.match(await stage.endpoint('ep_1'), { status: 'disabled', reason: 'failing' })
      const news = await db.selectFrom('events').select('type').where('position', 'is', null).execute()
      t.same(news, [{ type: 'event_endpoint.disabled' }])
      t.same(
        (await rowsOf('ep_1')).filter(({ due_at }) => due_at !== null),
        []
      )
    }
  )

  t.test(
    'an address that has been changed meanwhile is not disabled for what the old one answered',
    async (t) => {
      await addEndpoint('ep_1')
      await queue(['ep_1'])
      const answer = Promise.withResolvers<Attempt>()
      const { run } = open([answer.promise])
      const running = run()
      await sql`update event_endpoints set url = 'http://127.0.0.1:9/new'`.execute(db)
      answer.resolve(gone)
      await running
      t.match(await stage.endpoint('ep_1'), { status: 'enabled', reason: null, failingSince: null })
    }
  )

  t.test('an endpoint deleted or disabled during an attempt stays what it is', async (t) => {
    await addEndpoint('ep_1')
    const endpoint = await addEndpoint('ep_2')
    await queue(['ep_1', 'ep_2'])
    const answer = Promise.withResolvers<Attempt>()
    const { dispatch, finish, logged } = open([answer.promise, answer.promise])
    await dispatch(() => {})
    await transact(async ({ eventEndpoints }) => {
      await eventEndpoints.remove({ tenantId: 'default', id: 'ep_1' })
      await eventEndpoints.update({ ...endpoint, status: 'disabled', disabledReason: 'requested' })
      await eventEndpoints.giveUp(endpoint, 'endpoint disabled')
    })
    answer.resolve(failed)
    await finish()
    t.equal(await stage.endpoint('ep_1'), undefined)
    t.match(await stage.endpoint('ep_2'), { status: 'disabled', reason: 'requested', failingSince: null })
    t.match(await rowsOf('ep_2'), [{ status: 'failed', attempts: 0, last_error: 'endpoint disabled' }])
    t.same(logged, [])
  })

  t.test('secrets that do not open fail the attempt, and nothing is sent', async (t) => {
    await addEndpoint('ep_1')
    await queue(['ep_1'])
    const broken = {
      open: () => {
        throw new Error('not ours')
      }
    }
    const { run, sent } = open([], { vault: broken })
    await run()
    t.same(sent, [])
    t.match(await rowsOf('ep_1'), [
      { status: 'pending', attempts: 1, last_error: 'its secret cannot be read' }
    ])
  })

  t.test('on stopping waits for what is about to end', async (t) => {
    await addEndpoint('ep_1')
    await queue(['ep_1'])
    const answer = Promise.withResolvers<Attempt>()
    const { dispatch, finish } = open([answer.promise])
    await dispatch(() => {})
    const finished = finish()
    answer.resolve(delivered)
    await finished
    t.match(await rowsOf('ep_1'), [{ status: 'succeeded', attempts: 1 }])
  })

  t.test('on stopping gives back what does not end, and writes no more of it', async (t) => {
    await addEndpoint('ep_1')
    const id = await queue(['ep_1'])
    const answer = Promise.withResolvers<Attempt>()
    const { dispatch, finish } = open([answer.promise], { system: fakeSystem() })
    const ended = Promise.withResolvers<void>()
    await dispatch(ended.resolve)
    await finish()
    answer.resolve(failed)
    await ended.promise
    t.match(await rowsOf('ep_1'), [{ status: 'pending', attempts: 0, last_error: null }])
    const next = open()
    await next.run()
    t.same(
      next.sent.map(({ event }) => event),
      [id]
    )
  })

  t.test('what could not be written is left to its lease', async (t) => {
    await addEndpoint('ep_1')
    await queue(['ep_1'])
    const succeed = () => Promise.reject(new Error('the database is away'))
    const { run, logged } = open([], { outbox: { ...outbox, succeed } })
    await run()
    t.same(logged, ['outcome of a delivery not recorded'])
    await stage.pass(21)
    await open().run()
    t.match(await rowsOf('ep_1'), [{ status: 'succeeded', attempts: 1 }])
  })
})
