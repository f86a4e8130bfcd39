import t from 'tap'
import type { BookingTables } from '../../src/core/booking-tables.ts'
import { AppError } from '../../src/core/errors.ts'
import type { Hold } from '../../src/core/hold.ts'
import { heldRules, useHold } from '../../src/core/hold-use.ts'
import { createHolds } from '../../src/core/holds.ts'
import type { Engine } from '../../src/database/engine.ts'
import { findHold } from '../../src/database/holds.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { engines, openReplicas } from '../support/database.ts'
import { aBooking, anEventType, host, meeting, minuteMs, tuesday } from '../support/samples.ts'
import { fakeSystem } from '../support/system.ts'

const shop = { tenantId: 'default', name: 'shop', scopes: [] }
const wanted = { eventType: meeting, startTime: tuesday }

const aHold = (id: string): Hold => ({
  id,
  tenantId: 'default',
  caller: 'shop',
  status: 'active',
  eventType: meeting,
  isGroup: false,
  startTime: tuesday,
  endTime: tuesday + 30 * minuteMs,
  hosts: [host],
  mode: 'all',
  expiresAt: 0,
  createdAt: 0,
  updatedAt: 0
})

for (const kind of engines) {
  t.test(`a hold that two want at the same moment (${kind})`, async (t) => {
    const [one, two] = await openReplicas(t, kind)
    const run =
      ({ transaction }: Engine) =>
      <T>(work: (tables: BookingTables) => Promise<T>) =>
        transaction((tx) => work(tablesOf(tx)))

    /** A transaction on one replica that has used the hold and is about to commit, once it may. */
    async function aboutToUse(id: string) {
      await run(one)(async (tables) => {
        await tables.holds.insert(aHold(id), 300_000)
        await tables.bookings.insert(aBooking({ id: `bkg_${id}` }))
      })
      const { promise: mayCommit, resolve: commit } = Promise.withResolvers<void>()
      const { promise: used, resolve: isUsed } = Promise.withResolvers<void>()
      const using = run(one)(async (tables) => {
        await useHold(tables, shop, id, wanted, `bkg_${id}`, 0)
        isUsed()
        await mayCommit
      })
      await used
      return { using, commit }
    }

    t.test('is released by nobody who comes while it is being used', async (t) => {
      const { using, commit } = await aboutToUse('hld_1')
      const releasing = holdsOn(two).release(shop, 'hld_1')
      commit()
      await t.rejects(releasing, { code: 'hold_used' })
      await using
      t.match(await findHold(one.db, 'default', 'hld_1'), { status: 'used', bookingId: 'bkg_hld_1' })
    })

    t.test('is used by nobody else who comes while it is being used', async (t) => {
      const { using, commit } = await aboutToUse('hld_2')
      const second = run(two)((tables) => useHold(tables, shop, 'hld_2', wanted, 'bkg_other', 0))
      commit()
      await t.rejects(second, { code: 'hold_used' })
      await using
      t.match(await findHold(one.db, 'default', 'hld_2'), { status: 'used', bookingId: 'bkg_hld_2' })
    })

    const holdsOn = (engine: Engine) =>
      createHolds({
        system: fakeSystem(),
        transact: run(engine),
        reads: { findHold: (tenantId, id) => findHold(engine.db, tenantId, id) },
        offers: { find: async () => undefined },
        conflicts: { refuseIfTaken: async () => {}, lost: async () => new AppError('slot_unavailable') },
        claimRules: { rulesFor: async () => heldRules({}) },
        calendly: { getEventType: async () => anEventType(), listHosts: async () => [host] }
      })
  })
}
