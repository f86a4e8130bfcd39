import { sql } from 'kysely'
import t from 'tap'
import {
  type Reconciliation,
  reconciliationLeases,
  requestReconciliation
} from '../../src/core/reconciliation.ts'
import { createReconciliationQueue } from '../../src/core/reconciliation-queue.ts'
import { createLeases } from '../../src/database/leases.ts'
import {
  findReconciliation,
  listReconciliations,
  reconciliationsSoFar,
  reconciliationTotals
} from '../../src/database/reconciliations.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { engines, openTestEngine } from '../support/database.ts'
import { tuesday } from '../support/samples.ts'
import { fakeSystem } from '../support/system.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
type Wanted = Partial<Pick<Reconciliation, 'trigger' | 'from' | 'to'>>

for (const kind of engines) {
  t.test(`comparisons that nobody asks for, on ${kind}`, async (t) => {
    const { db, transaction } = await openTestEngine(t, kind)
    const leases = createLeases(db)
    let replicas = 0

    async function begin({ isSubscribed = true, isConnected = true } = {}) {
      for (const table of ['reconciliations', 'calendly_subscriptions', 'leases'])
        await sql`delete from ${sql.table(table)}`.execute(db)
      if (isSubscribed) await subscribe()
      const system = fakeSystem(tuesday)
      const ran: string[] = []
      const reads = {
        find: findReconciliation.bind(undefined, db),
        list: listReconciliations.bind(undefined, db),
        soFar: reconciliationsSoFar.bind(undefined, db)
      }
      const open = () =>
        createReconciliationQueue({
          kind: 'calendly',
          system,
          intervalMs: hourMs,
          transact: (work) => transaction((tx) => work(tablesOf(tx, system))),
          reads,
          run: async (of) => {
            ran.push(of.trigger)
            const done = { ...of, status: 'succeeded', finishedAt: system.now() } as const
            await transaction((tx) => tablesOf(tx, system).reconciliations.update(done))
          },
          isConnected: () => isConnected
        })
      /** What runs when a replica looks, `ms` later. */
      const after = async (ms: number, replica: ReturnType<typeof open>) => {
        await system.sleep(ms)
        await sql`update leases set expires_at = '-infinity'`.execute(db)
        const epoch = await leases.take(reconciliationLeases.calendly, `replica ${++replicas}`, 60_000)
        ran.length = 0
        await replica.work(epoch ?? 0, new AbortController().signal)
        return [...ran]
      }
      const queue = ({ trigger = 'gap', ...range }: Wanted) =>
        transaction((tx) =>
          requestReconciliation(tablesOf(tx, system), system, {
            tenantId: 'default',
            kind: 'calendly',
            trigger,
            ...range
          })
        )
      return { system, open, after, queue, list: () => reads.list('default', { limit: 50 }) }
    }

    const subscribe = () =>
      sql`insert into calendly_subscriptions (tenant_id, callback_url, state, events, checked_at)
        values ('default', 'https://gateway.example', 'active', '{}', now())`.execute(db)

    t.test('run on start, then on schedule', async (t) => {
      const { open, after, list } = await begin()
      const replica = open()
      t.same(await after(0, replica), ['start'])
      t.same(await after(hourMs - 1, replica), [])
      t.same(await after(1, replica), ['schedule'])
      t.match(await list(), [
        { from: tuesday + hourMs - dayMs - hourMs, to: undefined },
        { from: tuesday - dayMs }
      ])
    })

    t.test('run on start once, not on each replica', async (t) => {
      const { open, after } = await begin()
      t.same(await after(0, open()), ['start'])
      t.same(await after(1000, open()), [])
      t.same(await after(2 * hourMs, open()), ['schedule'], 'which was there all the time')
    })

    t.test('reach back to the last one that came to its end', async (t) => {
      const { system, open, after, list } = await begin()
      await after(0, open())
      await system.sleep(10 * dayMs)
      t.same(await after(0, open()), ['start'])
      t.match(await list(), [{ from: tuesday - dayMs }, {}])
    })

    t.test('wait for the subscription, since what happens before it would be missed', async (t) => {
      const { open, after } = await begin({ isSubscribed: false })
      const replica = open()
      t.same(await after(1000, replica), [])
      await subscribe()
      t.same(await after(1000, replica), ['start'])
    })

    t.test('run on schedule also where no subscription is kept', async (t) => {
      const { open, after } = await begin({ isSubscribed: false })
      const replica = open()
      t.same(await after(hourMs - 1, replica), [])
      t.same(await after(1, replica), ['schedule'])
    })

    t.test('do not run without a key', async (t) => {
      const { open, after, queue, list } = await begin({ isConnected: false })
      await queue({})
      t.same(await after(2 * hourMs, open()), [])
      t.match(await list(), [{ status: 'queued', trigger: 'gap' }])
    })

    t.test('are run by whoever holds the lease, and by nobody else', async (t) => {
      const { open, queue, list } = await begin()
      await queue({})
      await open().work(99, new AbortController().signal)
      t.match(await list(), [{ status: 'queued' }])
    })

    t.test('are not asked for by who has lost the lease', async (t) => {
      const { open, list } = await begin()
      await open().work(99, new AbortController().signal)
      t.same(await list(), [])
    })

    t.test('stand for those whose range they include', async (t) => {
      const { open, after, queue, list } = await begin()
      const from = tuesday - 3 * dayMs
      await queue({ trigger: 'gap', from })
      await queue({ trigger: 'start', from: from - 1 })
      await queue({ trigger: 'schedule', from: from + 1 })
      await queue({ trigger: 'gap', from: from + 1, to: tuesday })
      await queue({ trigger: 'request', from: from + 1 })
      t.same(await after(0, open()), ['gap', 'start', 'request'])
      t.equal((await list()).length, 3)
    })

    t.test('that look at no no-shows do not stand for those that do', async (t) => {
      const { open, after, queue } = await begin()
      await queue({ trigger: 'schedule', from: tuesday - dayMs })
      await queue({ trigger: 'gap', from: tuesday - dayMs })
      t.same(await after(0, open()), ['schedule', 'gap'])
    })

    t.test('go on with what was begun first', async (t) => {
      const { open, after, queue, system } = await begin()
      await queue({ trigger: 'request' })
      const begun = await queue({ trigger: 'gap' })
      await transaction((tx) =>
        tablesOf(tx, system).reconciliations.update({ ...begun, status: 'running', startedAt: tuesday })
      )
      t.same(await after(0, open()), ['gap', 'request'])
    })

    t.test('are counted by what began and what became of them', async (t) => {
      const { system, queue } = await begin()
      t.same(await reconciliationTotals(db), { runs: [], differences: [], lastSuccessAt: {} })
      const finish = async (found: number, status: 'succeeded' | 'failed', finishedAt: number) => {
        const of = await queue({ trigger: 'gap' })
        const counts = { missing_booking: { found, repaired: 1 } }
        const done = { ...of, status, finishedAt, report: { ...of.report, counts } }
        await transaction((tx) => tablesOf(tx, system).reconciliations.update(done))
        t.same(await findReconciliation(db, 'default', of.id), {
          ...done,
          requestedBy: undefined,
          place: undefined,
          failure: undefined,
          to: undefined,
          startedAt: undefined
        })
      }
      await finish(2, 'succeeded', tuesday)
      await finish(3, 'succeeded', tuesday + 1)
      await finish(4, 'failed', tuesday + 2)
      await queue({})
      t.same(await reconciliationTotals(db), {
        runs: [
          { kind: 'calendly', trigger: 'gap', status: 'failed', count: 1 },
          { kind: 'calendly', trigger: 'gap', status: 'succeeded', count: 2 }
        ],
        differences: [{ kind: 'missing_booking', found: 9, repaired: 3 }],
        lastSuccessAt: { calendly: tuesday + 1 }
      })
    })
  })
}
