import t from 'tap'
import { inviteeUri, minuteMs } from '../support/samples.ts'
import { openTables } from '../support/tables.ts'
import type { LittleCalendly } from './support/little-calendly.ts'
import { aWorld, later, old, schedule, type World } from './support/rescheduling.ts'

const apart = (later - old) / minuteMs
const elsewhere = later + 240 * minuteMs

/** Does something just before Calendly's answer to the write of this number, from 1. */
function atWrite(world: LittleCalendly, number: number, work: () => Promise<void> | void): void {
  let writes = 0
  world.beforeAnswer = async () => {
    if (++writes === number) await work()
  }
}

const seatAt = (world: LittleCalendly, startTime: number) => {
  const seat = world.active().find(({ event }) => event.startTime === startTime)
  if (!seat) throw new Error('nobody sits there')
  return seat
}

const tellAll = async ({ world, tell }: World) => {
  for (const seat of [...world.told]) await tell(seat)
}

t.test('what is done on Calendly’s page while a booking is rescheduled', async (t) => {
  const tables = await openTables(t)

  t.test('a cancellation of the old time before there is a new one has the last word', async (t) => {
    for (const hears of ['from a webhook', 'when it looks']) {
      const service = await aWorld(tables)
      const { world, reschedule, claims, settle, isWaiting } = service
      atWrite(world, 1, async () => {
        const canceled = world.cancel(seatAt(world, old))
        if (hears === 'from a webhook') await service.tell(canceled)
      })
      const result = await reschedule().catch((error: { code: string }) => error.code)
      await settle()
      await tellAll(service)
      const booking = await service.read()
      if (hears === 'from a webhook') {
        t.equal(result, 'not_reschedulable')
        t.match(booking, { status: 'canceled', startTime: old, cancellation: { cancelerType: 'invitee' } })
        t.same(world.active(), [], 'and the new event is canceled, too')
        t.same(await claims(), [])
      } else {
        // By then there is the new one, and the old one was to be canceled anyway.
        t.match(booking, { status: 'confirmed', startTime: later })
        t.same(await claims(), [apart])
      }
      t.equal(await isWaiting(), false)
    }
  })

  t.test('a cancellation of the old time where that is given up first ends it', async (t) => {
    const service = await aWorld(tables)
    const { world, reschedule, claims } = service
    world.fates.cancel = ['dropped']
    atWrite(world, 1, () => {
      world.cancel(seatAt(world, old))
    })
    await reschedule({ cancelFirst: true })
    t.match(await service.settle(), { status: 'canceled', cancellation: { cancelerType: 'invitee' } })
    t.same(world.asked, ['cancel 10:00'])
    t.same(await claims(), [])
  })

  t.test('a move of the old time has the last word', async (t) => {
    for (const cancelFirst of [false, true]) {
      for (const told of ['both halves', 'the second half', 'nothing']) {
        const service = await aWorld(tables)
        const { world, reschedule, claims, settle, bookings, isWaiting } = service
        if (cancelFirst) world.fates.cancel = ['dropped']
        atWrite(world, 1, async () => {
          world.move(seatAt(world, old), elsewhere)
          if (told === 'both halves') await tellAll(service)
          if (told === 'the second half') await service.tell(seatAt(world, elsewhere))
        })
        await reschedule({ cancelFirst }).catch(() => {})
        const why = `${cancelFirst}, ${told}: ${await service.timeline()}`
        t.match(await settle(), { status: 'confirmed', startTime: elsewhere, change: undefined }, why)
        await tellAll(service)
        t.match(await bookings(), { length: 1, 0: { startTime: elsewhere, reschedules: { length: 1 } } }, why)
        t.match(world.active(), { length: 1, 0: { event: { startTime: elsewhere } } }, why)
        t.same(await claims(), [apart + 240], why)
        t.equal(await isWaiting(), false, why)
      }
    }
  })

  t.test('a cancellation of the new time while the old one still stands cancels the booking', async (t) => {
    const service = await aWorld(tables)
    const { world, reschedule, tell, claims, settle, timeline } = service
    world.fates.cancel = ['dropped']
    atWrite(world, 2, async () => tell(world.cancel(seatAt(world, later))))
    await reschedule()
    t.match(await settle(), {
      status: 'canceled',
      startTime: later,
      cancellation: { cancelerType: 'invitee' },
      reschedules: [{ from: old, to: later }]
    })
    await tellAll(service)
    t.same(world.active(), [])
    t.same(await claims(), [])
    t.same((await timeline()).slice(-2), ['rescheduled', 'canceled'])
  })

  t.test('a move of the new time is followed once the old one is gone', async (t) => {
    for (const half of ['first', 'second'] as const) {
      const service = await aWorld(tables)
      const { world, reschedule, tell, claims, settle } = service
      world.fates.cancel = ['dropped']
      atWrite(world, 2, async () => {
        const before = seatAt(world, later)
        const next = world.move(before, elsewhere)
        await tell(half === 'first' ? (world.seats.get(before.invitee.uri) ?? next) : next)
      })
      await reschedule()
      t.match(await settle(), {
        status: 'confirmed',
        startTime: elsewhere,
        change: undefined,
        reschedules: [
          { from: old, to: later },
          { from: later, to: elsewhere }
        ]
      })
      await tellAll(service)
      t.equal((await service.bookings()).length, 1)
      t.equal(world.active().length, 1)
      t.same(await claims(), [apart + 240])
    }
  })

  t.test('a cancellation that is told before what it cancels is one all the same', async (t) => {
    const service = await aWorld(tables)
    const { world, reschedule, tell, settle, claims } = service
    world.fates.post = ['lost']
    atWrite(world, 1, async () => tell(world.cancel(seatAt(world, later))))
    await reschedule()
    t.match(await settle(), { status: 'canceled', cancellation: { cancelerType: 'invitee' } })
    await tellAll(service)
    t.match(await service.read(), { status: 'canceled' })
    t.same(world.active(), [])
    t.same(await claims(), [])
  })

  t.test('once it is done, a cancellation is one, and a late word of the old time is none', async (t) => {
    const service = await aWorld(tables)
    const { world, reschedule, tell, claims, timeline, bookings } = service
    await reschedule()
    await tellAll(service)
    t.match(await service.read(), { status: 'confirmed', startTime: later })
    await tell(world.cancel(seatAt(world, later)))
    t.match(await service.read(), { status: 'canceled', cancellation: { cancelerType: 'invitee' } })
    await tellAll(service)
    t.same(await claims(), [])
    t.same(
      (await timeline()).filter((type) => type === 'rescheduled' || type === 'canceled'),
      ['rescheduled', 'canceled']
    )
    t.equal((await bookings()).length, 1)
  })

  t.test('a new event that turns up after it was given up is canceled', async (t) => {
    const service = await aWorld(tables)
    const { world, reschedule, tell, settle, claims, isWaiting } = service
    world.fates.post = ['dropped', 'dropped']
    await reschedule()
    t.match(await settle(80), { status: 'confirmed', startTime: old, change: undefined })
    const late = world.add(later, { tracking: { utmTerm: 'bkg_1' } })
    await tell(late)
    t.match(await service.read(), { startTime: old, change: { step: 'canceling_new' } })
    t.match(await settle(), { status: 'confirmed', startTime: old, change: undefined })
    await tellAll(service)
    t.same(
      world.active().map(({ invitee }) => invitee.uri),
      [inviteeUri('E1')]
    )
    t.same(await claims(), [0])
    t.equal(await isWaiting(), false)
    t.equal((await service.bookings()).length, 1)
  })

  t.test('somebody else’s booking at that time is none of its business', async (t) => {
    const service = await aWorld(tables)
    const { world, reschedule, tell, settle, bookings } = service
    world.fates.post = ['dropped']
    await reschedule()
    await tell(world.add(later, { email: 'eve@example.com', tracking: { utmTerm: 'bkg_1' } }))
    t.match(await settle(), { status: 'confirmed', startTime: old }, 'it has the time, and keeps it')
    t.equal((await bookings()).length, 2)
  })

  t.test('needs a human who is told so, and goes on as soon as Calendly tells what was sought', async (t) => {
    const service = await aWorld(tables)
    const { world, reschedule, after, tell, claims, entries, isWaiting } = service
    world.fates.post = ['lost']
    await reschedule()
    world.isAway = true
    await after(1_000)
    t.match(await after(schedule.attentionMs), { status: 'needs_attention', change: { step: 'booking_new' } })
    t.match((await entries()).at(-1)?.detail, {
      reason: 'outcome_unknown',
      posts: 1,
      last_look: 'unreadable'
    })
    t.equal(await isWaiting(), false)
    t.same(await claims(), [0, apart])
    world.isAway = false
    await tell(seatAt(world, later))
    t.match(await service.settle(), { status: 'confirmed', startTime: later, change: undefined })
    t.equal(world.active().length, 1)
    t.same(await claims(), [apart])
  })

  t.test('while the old event cannot be canceled a human hears of it, and it is tried on', async (t) => {
    const service = await aWorld(tables)
    const { world, reschedule, after, isWaiting, timeline } = service
    world.fates.cancel = ['dropped']
    await reschedule()
    world.isAway = true
    await after(1_000)
    t.match(await after(schedule.attentionMs), {
      status: 'needs_attention',
      change: { step: 'canceling_old' }
    })
    t.match(await after(60_000), { status: 'needs_attention' })
    t.equal(await isWaiting(), true)
    world.isAway = false
    t.match(await after(60_000), { status: 'confirmed', startTime: later, change: undefined })
    t.equal((await timeline()).filter((type) => type === 'needs_attention').length, 1)
  })
})
