import t from 'tap'
import { anEvent, host, inviteeUri, minuteMs } from '../support/samples.ts'
import { openTables } from '../support/tables.ts'
import { aWorld, later, old } from './support/rescheduling.ts'

const moved = { id: 'bkg_1', status: 'confirmed', startTime: later, change: undefined, resolution: undefined }
const stayed = { id: 'bkg_1', status: 'confirmed', startTime: old, change: undefined, resolution: undefined }
const apart = (later - old) / minuteMs

t.test('a reschedule', async (t) => {
  const tables = await openTables(t)

  t.test(
    'books the new time, then cancels the old one; the booking keeps its id and all that is its',
    async (t) => {
      const { world, reschedule, booking, claims, timeline, isWaiting, read } = await aWorld(tables)
      const after = await reschedule()
      t.match(after, { ...moved, reschedules: [{ from: old, to: later }] })
      t.same(world.asked, ['book 12:00', 'cancel 10:00'])
      t.match(after, {
        tracking: { utmTerm: 'the caller’s' },
        questionsAndAnswers: booking.questionsAndAnswers,
        guests: booking.guests,
        location: { joinUrl: 'https://calendly.com/events/E2/google_meet' },
        calendly: { event: anEvent('E2').uri, invitee: inviteeUri('E2') }
      })
      t.same(await read(), after)
      t.match(world.active(), [{ invitee: { uri: inviteeUri('E2'), tracking: { utmTerm: 'bkg_1' } } }])
      t.equal(world.active().length, 1)
      t.same(await claims(), [apart])
      t.same(await timeline(), ['reschedule_requested', 'new_time_booked', 'rescheduled'])
      t.equal(await isWaiting(), false)
    }
  )

  t.test('that was done may be done again, back to where it came from', async (t) => {
    const { world, reschedule, claims, key } = await aWorld(tables)
    await reschedule()
    key.subject = undefined
    t.match(await reschedule({ startTime: old }), { ...stayed, reschedules: [{}, { from: later, to: old }] })
    t.equal(world.active().length, 1)
    t.same(await claims(), [0])
  })

  t.test('claims both times while it lasts', async (t) => {
    const { world, reschedule, claims } = await aWorld(tables)
    const seen: number[][] = []
    world.beforeAnswer = async () => {
      seen.push(await claims())
    }
    await reschedule()
    t.same(seen, [
      [0, apart],
      [0, apart]
    ])
  })

  t.test('to a time that Calendly will not give leaves all as it was, and says why', async (t) => {
    const { world, reschedule, booking, claims, timeline, isWaiting } = await aWorld(tables)
    world.taken.add(later)
    await t.rejects(reschedule(), { code: 'slot_unavailable' })
    t.match(world.asked, ['book 12:00'])
    t.same(await claims(), [0])
    t.same(await timeline(), ['reschedule_requested', 'reschedule_failed'])
    t.equal(await isWaiting(), false)
    const [after] = await tables.reads.list('default', { limit: 1, now: 0 })
    t.match(after, { ...stayed, calendly: booking.calendly, location: booking.location })
  })

  t.test('that Calendly refuses for another reason is refused with its words', async (t) => {
    const { world, reschedule } = await aWorld(tables)
    world.fates.post = ['refused']
    await t.rejects(reschedule(), { code: 'not_reschedulable', message: 'Calendly says missing_answer' })
  })

  t.test('that never reached Calendly changes nothing, and its key may be used again', async (t) => {
    for (const [fate, code] of [
      ['away', 'calendly_unavailable'],
      ['quota', 'booking_quota_exhausted']
    ] as const) {
      const { world, reschedule, key, claims } = await aWorld(tables)
      world.fates.post = [fate]
      await t.rejects(reschedule(), { code })
      t.equal(key.forgotten, true)
      t.same(await claims(), [0])
      t.match(await reschedule(), moved)
    }
  })

  t.test('whose old event cannot be canceled is taken back', async (t) => {
    const { world, reschedule, claims, timeline, read } = await aWorld(tables)
    world.fates.cancel = ['refused']
    await t.rejects(reschedule(), {
      code: 'not_reschedulable',
      message: 'Calendly’s words',
      members: { reschedule_url: 'https://calendly.com/reschedulings/E1' }
    })
    t.same(world.asked, ['book 12:00', 'cancel 10:00', 'cancel 12:00'])
    t.match(await read(), stayed)
    t.same(await claims(), [0])
    t.match(world.active(), [{ invitee: { uri: inviteeUri('E1') } }])
    t.same(await timeline(), [
      'reschedule_requested',
      'new_time_booked',
      'old_time_kept',
      'reschedule_failed'
    ])
  })

  t.test('that can neither be finished nor taken back needs a human, who is told all there is', async (t) => {
    const { world, reschedule, claims, entries, isWaiting } = await aWorld(tables)
    world.fates.cancel = ['refused', 'refused']
    t.match(await reschedule(), { status: 'needs_attention', startTime: old })
    t.same(await claims(), [0, apart], 'and nobody else gets either time')
    t.match((await entries()).at(-1), {
      type: 'needs_attention',
      detail: {
        reason: 'new_time_kept',
        detail: 'Calendly’s words',
        step: 'canceling_new',
        since: String,
        lookups: 0,
        old: { start_time: '2026-12-01T10:00:00Z', calendly_invitee: inviteeUri('E1') },
        new: { start_time: '2026-12-01T12:00:00Z', calendly_invitee: inviteeUri('E2') }
      }
    })
    t.equal(await isWaiting(), false)
  })

  t.test('that gives up the old time first books the new one after it', async (t) => {
    const { world, reschedule, claims, timeline } = await aWorld(tables)
    const startTime = old + 15 * minuteMs
    t.match(await reschedule({ startTime, cancelFirst: true }), { ...moved, startTime })
    t.same(world.asked, ['cancel 10:00', 'book 10:15'])
    t.same(await claims(), [15])
    t.same(await timeline(), ['reschedule_requested', 'old_time_canceled', 'rescheduled'])
  })

  t.test('that gave up the old time for one it cannot have gets the old one back', async (t) => {
    const { world, reschedule, claims, timeline, read } = await aWorld(tables)
    world.taken.add(later)
    await t.rejects(reschedule({ cancelFirst: true }), { code: 'slot_unavailable' })
    t.same(world.asked, ['cancel 10:00', 'book 12:00', 'book 10:00'])
    t.match(await read(), {
      ...stayed,
      calendly: { invitee: inviteeUri('E2') },
      location: { joinUrl: 'https://calendly.com/events/E2/google_meet' }
    })
    t.same(await claims(), [0])
    t.same(await timeline(), [
      'reschedule_requested',
      'old_time_canceled',
      'new_time_refused',
      'old_time_rebooked',
      'reschedule_failed'
    ])
  })

  t.test('that was refused says where the booking is, and what may help', async (t) => {
    const reschedule_url = (name: string) => `https://calendly.com/reschedulings/${name}`
    const tried = await aWorld(tables)
    tried.world.taken.add(later)
    await t.rejects(tried.reschedule({ cancelFirst: true }), {
      message: /back at its old time, with a new event/,
      members: { reschedule_url: reschedule_url('E2') }
    })
    const close = await aWorld(tables)
    close.world.taken.add(later)
    await t.rejects(close.reschedule(), {
      code: 'slot_unavailable',
      message: /"cancel_first": true/,
      members: { reschedule_url: reschedule_url('E1') }
    })
    const far = await aWorld(tables)
    const startTime = old + 24 * 60 * minuteMs
    far.world.taken.add(startTime)
    await t.rejects(far.reschedule({ startTime }), { message: 'Calendly' }, 'no buffer reaches that far')
  })

  t.test('gives no time up for one that Calendly does not offer', async (t) => {
    const { world, reschedule, unoffered, timeline, claims } = await aWorld(tables)
    for (const startTime of [later, old + 30 * minuteMs, old - 30 * minuteMs]) {
      unoffered.add(startTime)
      await t.rejects(reschedule({ startTime, cancelFirst: true }), { code: 'slot_unavailable' })
    }
    t.same(world.asked, [])
    t.same(await timeline(), [])
    t.same(await claims(), [0])
  })

  t.test('gives the time up where that itself keeps Calendly from offering the new one', async (t) => {
    const overlapping = await aWorld(tables)
    overlapping.unoffered.add(old + 15 * minuteMs)
    const startTime = old + 15 * minuteMs
    t.match(await overlapping.reschedule({ startTime, cancelFirst: true }), { ...moved, startTime })

    const close = await aWorld(tables)
    const [seat] = close.world.active()
    if (!seat) throw new Error('the booking has a seat')
    const buffers = { beforeMs: 0, afterMs: 15 * minuteMs }
    close.world.seats.set(seat.invitee.uri, { ...seat, event: { ...seat.event, buffers } })
    for (const minutes of [45, 44]) close.unoffered.add(old + minutes * minuteMs)
    await t.rejects(close.reschedule({ startTime: old + 45 * minuteMs, cancelFirst: true }), {
      code: 'slot_unavailable'
    })
    t.same(close.world.asked, [], 'there its buffer has ended')
    const next = { startTime: old + 44 * minuteMs }
    t.match(await close.reschedule({ ...next, cancelFirst: true }), { ...moved, ...next })
  })

  t.test('that has lost both times needs a human, and keeps the old one claimed', async (t) => {
    const { world, reschedule, claims, entries } = await aWorld(tables)
    world.taken.add(later)
    world.fates.post = ['done', 'refused']
    t.match(await reschedule({ cancelFirst: true }), { status: 'needs_attention', startTime: old })
    t.same(await claims(), [0])
    t.match((await entries()).at(-1)?.detail, { reason: 'old_time_refused', step: 'rebooking_old', posts: 1 })
  })

  t.test('that would give up the old time and surely be refused the new one does not begin', async (t) => {
    const { world, eventType, reschedule } = await aWorld(tables, { requestedLocation: { kind: 'physical' } })
    t.same(eventType.locations, [{ kind: 'google_conference' }])
    await t.rejects(reschedule({ cancelFirst: true }), { code: 'not_reschedulable' })
    t.same(world.asked, [])
  })

  t.test(
    'to minutes that the same host needs for the old time is refused, with where to go instead',
    async (t) => {
      for (const minutes of [-29, -1, 1, 29]) {
        const { world, reschedule } = await aWorld(tables)
        await t.rejects(reschedule({ startTime: old + minutes * minuteMs }), {
          code: 'overlaps_itself',
          members: { reschedule_url: 'https://calendly.com/reschedulings/E1' }
        })
        t.same(world.asked, [])
      }
      const { reschedule } = await aWorld(tables)
      const startTime = old + 30 * minuteMs
      t.match(await reschedule({ startTime }), { ...moved, startTime }, 'back to back is no overlap')
    }
  )

  t.test('is refused for what cannot be moved', async (t) => {
    const to = { startTime: later }
    const attention = await aWorld(tables, { status: 'needs_attention' })
    await t.rejects(attention.reschedule(), { message: /POST .*\/resolve/ })
    for (const [why, changes, request, code] of [
      ['to the past', {}, { startTime: 1 }, 'start_time_in_past'],
      ['to where it is', {}, { startTime: old }, 'not_reschedulable'],
      ['canceled', { status: 'canceled' }, to, 'not_reschedulable'],
      ['rejected', { status: 'rejected' }, to, 'not_reschedulable'],
      ['pending', { status: 'pending' }, to, 'not_reschedulable'],
      ['in doubt', { status: 'unknown' }, to, 'not_reschedulable'],
      ['with a human', { status: 'needs_attention' }, to, 'not_reschedulable'],
      ['begun', { startTime: old - 600 * minuteMs }, to, 'not_reschedulable'],
      ['of another length', { endTime: old + 60 * minuteMs }, to, 'not_reschedulable'],
      ['moving', { change: { kind: 'move', state: 'pending', requestedAt: 1 } }, to, 'not_reschedulable']
    ] as const) {
      const { world, eventType, reschedule, timeline } = await aWorld(tables, changes)
      Object.assign(eventType, { durationOptions: [30, 60] })
      await t.rejects(reschedule(request), { code }, why)
      t.same(world.asked, [], why)
      t.same(await timeline(), [], why)
    }
  })

  t.test(
    'into a time that somebody has here asks nothing of Calendly and leaves all as it was',
    async (t) => {
      const { world, reschedule, claims, inTables, timeline } = await aWorld(tables)
      await inTables((inside) =>
        inside.claims.take({
          tenantId: 'default',
          ownerId: 'hld_1',
          session: 'hld_1',
          hosts: [host],
          mode: 'all',
          startTime: later - 15 * minuteMs,
          endTime: later + 15 * minuteMs,
          expiresInMs: 60_000
        })
      )
      await t.rejects(reschedule(), { code: 'slot_unavailable', message: 'claimed' })
      t.same(world.asked, [])
      t.same(await claims(), [0])
      t.same(await timeline(), [])
    }
  )

  t.test('keeps the buffers of today around the new time, and within the notice refuses it', async (t) => {
    const { reschedule, settings, read, claims } = await aWorld(tables)
    Object.assign(settings, { minimumNoticeMinutes: 60 * 24 * 7 })
    await t.rejects(reschedule(), { code: 'slot_unavailable' })
    Object.assign(settings, { minimumNoticeMinutes: 0, bufferAfterMinutes: 15 })
    t.match(await reschedule(), { ...moved, buffers: { beforeMs: 0, afterMs: 15 * minuteMs } })
    t.match(await read(), { buffers: { afterMs: 15 * minuteMs } })
    t.same(await claims(), [apart])
  })

  t.test('of one who shares the event is refused; of one who sits there alone it is not', async (t) => {
    const { world, reschedule } = await aWorld(tables, { isGroup: true })
    const [seat] = world.active()
    if (!seat) throw new Error('the booking has a seat')
    const shared = { ...seat.event, inviteesCounter: { total: 2, active: 2, limit: 5 } }
    world.seats.set(seat.invitee.uri, { ...seat, event: shared })
    await t.rejects(reschedule(), {
      code: 'group_event',
      members: { reschedule_url: 'https://calendly.com/reschedulings/E1' }
    })
    t.same(world.asked, [])
    world.seats.set(seat.invitee.uri, seat)
    t.match(await reschedule(), moved)
  })

  t.test('of one beside whom somebody of ours is about to sit down is refused', async (t) => {
    const { world, reschedule, inTables, booking, timeline } = await aWorld(tables, { isGroup: true })
    await inTables((inside) =>
      inside.claims.take({
        tenantId: 'default',
        ownerId: 'bkg_2',
        session: `${booking.eventType}@${old}`,
        hosts: [host],
        mode: 'all',
        startTime: old,
        endTime: old + 30 * minuteMs
      })
    )
    await t.rejects(reschedule(), { code: 'group_event', members: { reschedule_url: String } })
    t.same(world.asked, [])
    t.same(await timeline(), [])
  })

  t.test('of one beside whom somebody sits down meanwhile is taken back', async (t) => {
    const { world, reschedule, claims, read } = await aWorld(tables, { isGroup: true })
    world.beforeAnswer = async () => {
      const [seat] = world.active()
      if (!seat) return
      const shared = { ...seat.event, inviteesCounter: { total: 2, active: 2, limit: 5 } }
      world.seats.set(seat.invitee.uri, { ...seat, event: shared })
    }
    await t.rejects(reschedule(), { code: 'group_event' })
    t.same(world.asked, ['book 12:00', 'cancel 12:00'])
    t.match(await read(), stayed)
    t.same(await claims(), [0])
  })

  t.test('of a seat to a session that touches the old one holds both as far as they go', async (t) => {
    const buffers = { beforeMs: 0, afterMs: 15 * minuteMs }
    const { reschedule, claims, settings } = await aWorld(tables, { isGroup: true, buffers })
    Object.assign(settings, { bufferAfterMinutes: 15 })
    const startTime = old + 30 * minuteMs
    t.match(await reschedule({ startTime }), { ...moved, startTime })
    t.same(await claims(), [30])
  })

  t.test('of two at once one is done and the other is told so', async (t) => {
    const { world, reschedule, claims } = await aWorld(tables)
    const results = await Promise.allSettled([reschedule(), reschedule({ startTime: later + 60 * minuteMs })])
    t.same(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
    t.match(
      results.find(({ status }) => status === 'rejected'),
      { reason: { code: 'not_reschedulable' } }
    )
    t.equal(world.active().length, 1)
    t.equal((await claims()).length, 1)
  })

  t.test('asked for again under its key says what became of it', async (t) => {
    const done = await aWorld(tables)
    await done.reschedule()
    t.match(await done.reschedule(), moved)
    t.same(done.world.asked, ['book 12:00', 'cancel 10:00'], 'and is not done again')

    const failed = await aWorld(tables)
    failed.world.fates.cancel = ['refused']
    await t.rejects(failed.reschedule(), { code: 'not_reschedulable' })
    await t.rejects(failed.reschedule(), { code: 'not_reschedulable', message: 'Calendly’s words' })

    const lost = await aWorld(tables)
    lost.world.fates.post = ['dropped']
    t.match(await lost.reschedule(), { change: { kind: 'reschedule', state: 'unknown' } })
    t.match(await lost.reschedule(), { change: { kind: 'reschedule', state: 'unknown' } })
  })

  t.test('asked for again after another one is called done only where it was', async (t) => {
    const { world, reschedule, key } = await aWorld(tables)
    world.taken.add(later).add(later + 60 * minuteMs)
    await t.rejects(reschedule(), { code: 'slot_unavailable' })
    const first = key.subject
    key.subject = undefined
    await t.rejects(reschedule({ startTime: later + 60 * minuteMs }), { code: 'slot_unavailable' })
    key.subject = first
    await t.rejects(reschedule(), { code: 'not_reschedulable' })

    key.subject = undefined
    t.match(await reschedule({ startTime: later + 120 * minuteMs }), {
      ...moved,
      startTime: later + 120 * minuteMs
    })
    const done = key.subject
    key.subject = undefined
    const startTime = later + 180 * minuteMs
    await reschedule({ startTime })
    key.subject = done
    t.match(await reschedule({ startTime: later + 120 * minuteMs }), { ...moved, startTime })
    key.subject = first
    await t.rejects(reschedule(), { code: 'not_reschedulable' })
  })

  t.test('of another tenant’s booking finds none', async (t) => {
    await aWorld(tables)
    t.equal(await tables.reads.find('other', 'bkg_1'), undefined)
  })

  t.test('of a booking made on Calendly’s page takes its room along', async (t) => {
    for (const [location, carried] of [
      [{ type: 'google_conference', joinUrl: 'https://g' }, { kind: 'google_conference' }],
      [{ type: 'zoom', joinUrl: 'https://z' }, { kind: 'zoom_conference' }],
      [
        { type: 'physical', location: 'Torstraße 1' },
        { kind: 'physical', location: 'Torstraße 1' }
      ]
    ] as const) {
      const { reschedule } = await aWorld(tables, {
        source: 'webhook',
        requestedLocation: undefined,
        location
      })
      t.match(await reschedule(), { ...moved, requestedLocation: carried })
    }
  })
})
