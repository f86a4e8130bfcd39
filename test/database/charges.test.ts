import { sql } from 'kysely'
import t from 'tap'
import { findCharge } from '../../src/database/charges.ts'
import type { Engine } from '../../src/database/engine.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { engines, openReplicas } from '../support/database.ts'
import { aBooking } from '../support/samples.ts'

const fact = {
  ...{ id: 'ch_1', currency: 'usd', captured: 5_000, refunded: 0, isPaid: true, livemode: false },
  dispute: undefined
}
const owner = { tenantId: 'default', bookingId: 'bkg_1' }
const posting = { tenantId: 'default', charge: 'ch_1', from: 'captured', to: 'refundable' } as const

for (const kind of engines) {
  t.test(`charges (${kind})`, async (t) => {
    const replicas = await openReplicas(t, kind)
    const [one] = replicas
    const on = <T>({ transaction }: Engine, work: (tables: ReturnType<typeof tablesOf>) => Promise<T>) =>
      transaction((tx) => work(tablesOf(tx)))
    const put = (id: string, changes: object = {}, lookedAt = 1_000) =>
      on(one, ({ charges }) =>
        charges.put(owner.tenantId, owner.bookingId, { ...fact, id, ...changes }, { lookedAt, now: 1_000 })
      )
    const read = (id: string) => findCharge(one.db, owner.tenantId, id)
    await on(one, ({ bookings }) => bookings.insert(aBooking({ id: owner.bookingId })))
    await put('ch_1')

    t.test(
      'of many who reserve at once as many succeed as there is money, without any other lock',
      async (t) => {
        const reserved = await Promise.all(
          Array.from({ length: 300 }, (_, number) =>
            on(replicas[number % 2] ?? one, ({ charges }) => charges.reserve('default', 'ch_1', 50))
          )
        )
        t.equal(reserved.filter(Boolean).length, 100)
        t.match(await read('ch_1'), { captured: 5_000, reserved: 5_000 })
      }
    )

    t.test('what was released, and what was refunded elsewhere, counts', async (t) => {
      await put('ch_2', { captured: 100 })
      const reserve = (amount: number) => on(one, ({ charges }) => charges.reserve('default', 'ch_2', amount))
      t.ok(await reserve(60))
      await on(one, ({ charges }) => charges.addElsewhere('default', 'ch_2', 30))
      t.notOk(await reserve(11))
      t.ok(await reserve(10))
      await on(one, ({ charges }) => charges.release('default', 'ch_2', 60))
      t.notOk(await reserve(61))
      await on(one, ({ charges }) => charges.addElsewhere('default', 'ch_2', -30))
      t.ok(await reserve(90))
      t.match(await read('ch_2'), { reserved: 100, elsewhere: 0 })
      t.notOk(await reserve(Number.MAX_SAFE_INTEGER))
      t.notOk(await on(one, ({ charges }) => charges.reserve('another', 'ch_2', 1)))
    })

    t.test('nothing is reserved of one in dispute', async (t) => {
      await put('ch_3', { dispute: { id: 'dp_1', status: 'needs_response' } })
      t.notOk(await on(one, ({ charges }) => charges.reserve('default', 'ch_3', 1)))
      await put('ch_3', {}, 2_000)
      t.ok(await on(one, ({ charges }) => charges.reserve('default', 'ch_3', 1)))
    })

    t.test('an answer that was asked for earlier undoes no later one, and no counter', async (t) => {
      t.match(await put('ch_4', { captured: 10 }, 2_000), { isNew: true, charge: { captured: 10 } })
      await on(one, ({ charges }) => charges.reserve('default', 'ch_4', 10))
      t.match(await put('ch_4', { captured: 5 }, 1_999), {
        ...{ isNew: false, before: { captured: 10 }, charge: { captured: 10, reserved: 10 } }
      })
      t.match(await put('ch_4', { captured: 12, refunded: 10 }, 2_001), {
        ...{ before: { captured: 10 }, charge: { captured: 12, refunded: 10, reserved: 10, lookedAt: 2_001 } }
      })
    })

    t.test('a ledger keeps what is written, each time as two entries that sum to zero', async (t) => {
      await on(one, ({ ledger }) => ledger.post({ ...posting, amount: 5_000, currency: 'usd', at: 1_000 }))
      const entries = () => one.db.selectFrom('ledger_entries').selectAll().orderBy('id').execute()
      const written = await entries()
      t.match(written, [
        { account: 'captured', amount: -5_000 },
        { account: 'refundable', amount: 5_000 }
      ])
      t.equal(written[0]?.transaction_id, written[1]?.transaction_id)
      for (const change of [
        'update ledger_entries set amount = 1',
        'delete from ledger_entries',
        'truncate ledger_entries',
        'truncate tenants cascade'
      ]) {
        await t.rejects(sql.raw(change).execute(one.db), { message: /append-only/ }, change)
      }
      const nothing = { ...posting, amount: 0, currency: 'usd', at: 1_000 }
      await t.rejects(
        on(one, ({ ledger }) => ledger.post(nothing)),
        'a posting of nothing is a bug'
      )
      t.same(await entries(), written)
    })
  })
}
