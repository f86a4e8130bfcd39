import { sql, type Transaction } from 'kysely'
import t from 'tap'
import { createLeases, isCurrentEpoch } from '../../src/database/leases.ts'
import type { Tables } from '../../src/database/tables.ts'
import { engines, openTestEngine } from '../support/database.ts'

const minuteMs = 60_000

for (const kind of engines) {
  t.test(`leases on ${kind}`, async (t) => {
    const engine = await openTestEngine(t, kind)
    const leases = createLeases(engine.db)
    const isCurrent = (name: string, epoch: number) =>
      engine.transaction((tx) => isCurrentEpoch(tx, name, epoch))
    /** As if `name`'s holder had not been heard of for longer than its lease. */
    const expire = (name: string) =>
      sql`update leases set expires_at = clock_timestamp() - interval '1 second' where name = ${name}`.execute(
        engine.db
      )

    t.test('have one holder at a time', async (t) => {
      const asked = Array.from({ length: 20 }, (_, i) => leases.take('one', `replica ${i}`, minuteMs))
      t.same(
        (await Promise.all(asked)).filter((epoch) => epoch !== undefined),
        [1]
      )
    })

    t.test('are free when released, with a higher epoch', async (t) => {
      t.equal(await leases.take('released', 'a', minuteMs), 1)
      t.equal(await leases.take('released', 'b', minuteMs), undefined)
      await leases.release('released', 1)
      t.equal(await leases.take('released', 'b', minuteMs), 2)
    })

    t.test('are free when expired, and the late holder learns it', async (t) => {
      t.equal(await leases.take('expired', 'a', minuteMs), 1)
      await expire('expired')
      t.ok(await isCurrent('expired', 1), 'nobody has taken its place yet')
      t.equal(await leases.take('expired', 'b', minuteMs), 2)

      t.notOk(await isCurrent('expired', 1))
      t.notOk(await leases.renew('expired', 1, minuteMs))
      await leases.release('expired', 1)
      t.equal(
        await leases.take('expired', 'c', minuteMs),
        undefined,
        'and cannot release what is not its own'
      )
      t.ok(await isCurrent('expired', 2))
    })

    t.test('last when renewed', async (t) => {
      t.equal(await leases.take('renewed', 'a', minuteMs), 1)
      await expire('renewed')
      t.ok(await leases.renew('renewed', 1, minuteMs))
      t.equal(await leases.take('renewed', 'b', minuteMs), undefined)
    })

    t.test('come back to a holder that could not release them', async (t) => {
      t.equal(await leases.take('again', 'a', minuteMs), 1)
      t.equal(await leases.take('again', 'a', minuteMs), 2)
    })

    // On one connection there is nobody to wait for.
    if (kind === 'embedded') return
    t.test('cannot be taken over while a transaction relies on them', async (t) => {
      t.equal(await leases.take('relied', 'a', minuteMs), 1)
      await expire('relied')
      const order: string[] = []
      const checked = Promise.withResolvers<void>()
      const working = engine.transaction(async (tx) => {
        t.ok(await isCurrentEpoch(tx, 'relied', 1))
        checked.resolve()
        while (order.length === 0 && !(await isSomebodyWaiting(tx)));
        order.push('work')
      })
      await checked.promise
      const taking = leases.take('relied', 'b', minuteMs).then(() => order.push('takeover'))
      await Promise.all([working, taking])
      t.same(order, ['work', 'takeover'])
    })
  })
}

async function isSomebodyWaiting(tx: Transaction<Tables>): Promise<boolean> {
  const { rows } = await sql`
    select 1 from pg_locks where not granted and pg_blocking_pids(pid) @> array[pg_backend_pid()]
  `.execute(tx)
  return rows.length > 0
}
