import { sql } from 'kysely'
import t from 'tap'
import { hintCharge } from '../../src/database/charge-hints.ts'
import { takeCharges } from '../../src/database/charges.ts'
import type { Engine } from '../../src/database/engine.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { engines, openTestEngine } from '../support/database.ts'
import { aBooking } from '../support/samples.ts'

const leaseMs = 60_000
const id = 'ch_1'

async function withCharge({ db, transaction }: Engine) {
  await transaction((tx) => tablesOf(tx).bookings.insert(aBooking({ id: 'bkg_1' })))
  await sql`insert into charges (tenant_id, id, booking_id, currency, captured, refunded, livemode, looked_at,
    created_at) values ('default', ${id}, 'bkg_1', 'usd', 100, 0, false, now(), now())`.execute(db)
  return {
    take: () => takeCharges(db, leaseMs, 10),
    hint: (tenant = 'default', charge = id) => hintCharge(db, tenant, charge),
    /** What the end of a look does. */
    end: (inMs: number | undefined) =>
      transaction((tx) => tablesOf(tx).charges.schedule('default', id, inMs, 1))
  }
}

for (const kind of engines) {
  t.test(`a hint makes a charge due, and only one of ours (${kind})`, async (t) => {
    const { take, hint } = await withCharge(await openTestEngine(t, kind))
    t.same(await take(), [])
    t.equal(await hint('another'), false)
    t.equal(await hint('default', 'ch_other'), false)
    t.same(await take(), [])
    t.equal(await hint(), true)
    t.equal(await hint(), true, 'twice is once')
    t.same(await take(), [{ tenantId: 'default', id }])
    t.same(await take(), [], 'leased')
  })

  t.test(`a hint that comes while the charge is being read has it read again (${kind})`, async (t) => {
    const { take, hint, end } = await withCharge(await openTestEngine(t, kind))
    for (const next of [undefined, 3_600_000]) {
      await hint()
      t.equal((await take()).length, 1)
      await hint()
      await end(next)
      t.equal((await take()).length, 1, 'the news is not older than the answer')
      await end(next)
      t.same(await take(), [])
    }
  })
}
