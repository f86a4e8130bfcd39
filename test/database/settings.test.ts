import t from 'tap'
import type { Booking, BookingStatus } from '../../src/core/booking.ts'
import type { Hold, HoldStatus } from '../../src/core/hold.ts'
import { defaultSettings } from '../../src/core/settings.ts'
import { uncountedBetween } from '../../src/database/bookings.ts'
import { findSettings, listSettings, startsBetween } from '../../src/database/settings.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { engines, openTestEngine } from '../support/database.ts'
import { aBooking, host, meeting, minuteMs, tuesday } from '../support/samples.ts'

const hourMs = 60 * minuteMs
const live: BookingStatus[] = ['pending', 'unknown', 'confirmed', 'needs_attention']

function aHold(id: string, status: HoldStatus, startTime: number): Hold {
  const time = { startTime, endTime: startTime + 30 * minuteMs, expiresAt: 0, createdAt: 0, updatedAt: 0 }
  const taken = { eventType: meeting, isGroup: false, hosts: [host], mode: 'all' } as const
  return { id, tenantId: 'default', caller: 'shop', status, ...taken, ...time }
}

for (const kind of engines) {
  t.test(`settings of event types (${kind})`, async (t) => {
    const { db, transaction } = await openTestEngine(t, kind)
    const insert = (...bookings: Partial<Booking>[]) =>
      transaction(async (tx) => {
        for (const booking of bookings) await tablesOf(tx).bookings.insert(aBooking(booking))
      })

    t.test('are the defaults until they are set, and then what was set last', async (t) => {
      t.same(await findSettings(db, 'default', meeting), defaultSettings)
      t.equal((await listSettings(db, 'default')).size, 0)
      const strict = { ...defaultSettings, bufferBeforeMinutes: 15, maxPerDay: 3 }
      await transaction((tx) => tablesOf(tx).settings.put('default', meeting, strict, tuesday))
      t.match(await findSettings(db, 'default', meeting), { bufferBeforeMinutes: 15, maxPerDay: 3 })
      await transaction(async (tx) => {
        await tablesOf(tx).settings.put(
          'default',
          meeting,
          { ...defaultSettings, bufferAfterMinutes: 5 },
          tuesday
        )
        t.match(await tablesOf(tx).settings.get('default', meeting), { bufferAfterMinutes: 5 })
      })
      t.same(
        [...(await listSettings(db, 'default'))],
        [[meeting, await findSettings(db, 'default', meeting)]]
      )
      t.same((await findSettings(db, 'default', meeting)).maxPerDay, undefined)
      t.same(await findSettings(db, 'other', meeting), defaultSettings)
    })

    t.test('count what is live of an event type, bookings and holds, by start', async (t) => {
      const statuses: BookingStatus[] = [...live, 'canceled', 'rejected']
      await insert(
        ...statuses.map((status, n) => ({
          id: `bkg_${status}`,
          status,
          startTime: tuesday + (statuses.length - n) * hourMs
        })),
        { id: 'bkg_other', status: 'confirmed', eventType: 'other', startTime: tuesday + hourMs }
      )
      await transaction(async (tx) => {
        const { holds } = tablesOf(tx)
        await holds.insert(aHold('hld_active', 'active', tuesday + 90 * minuteMs), hourMs)
        await holds.insert(aHold('hld_expired', 'active', tuesday + 91 * minuteMs), -1)
        await holds.insert(aHold('hld_released', 'released', tuesday + 92 * minuteMs), hourMs)
      })
      const hours = async (from: number, to: number) =>
        (await startsBetween(db, 'default', meeting, tuesday + from * hourMs, tuesday + to * hourMs)).map(
          (start) => (start - tuesday) / hourMs
        )
      t.same(await hours(0, 24), [1.5, 3, 4, 5, 6])
      t.same(await hours(3, 5), [3, 4], 'half-open')
      t.same(await startsBetween(db, 'other', meeting, 0, tuesday * 2), [])
    })

    t.test('leave out of count what Calendly cannot have counted', async (t) => {
      const asOf = tuesday - hourMs
      const isBefore = { eventType: 'group', isGroup: true, createdAt: asOf - 1 }
      await insert(
        ...live.map((status) => ({ ...isBefore, id: `bkg_before_${status}`, status })),
        { ...isBefore, id: 'bkg_since', status: 'confirmed', createdAt: asOf },
        { ...isBefore, id: 'bkg_gone', status: 'canceled', createdAt: asOf },
        { ...isBefore, id: 'bkg_later', status: 'pending', startTime: tuesday + hourMs }
      )
      t.same(await uncountedBetween(db, 'default', 'group', tuesday, tuesday + hourMs, asOf), [
        'bkg_before_needs_attention',
        'bkg_before_pending',
        'bkg_before_unknown',
        'bkg_since'
      ])
    })
  })
}
