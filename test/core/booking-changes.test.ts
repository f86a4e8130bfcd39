import t from 'tap'
import type { BookingStatus, Reschedule } from '../../src/core/booking.ts'
import { bookingFromFact, canceled, completed, confirmed, revise } from '../../src/core/booking-changes.ts'
import { aBooking, anEvent, anInvitee, host, inviteeUri, minuteMs, tuesday } from '../support/samples.ts'

const at = tuesday - 60 * minuteMs
const allowed: Record<BookingStatus, readonly BookingStatus[]> = {
  pending: ['pending', 'unknown', 'confirmed', 'rejected', 'canceled'],
  unknown: ['unknown', 'confirmed', 'rejected', 'needs_attention', 'canceled'],
  needs_attention: ['needs_attention', 'confirmed', 'rejected', 'canceled'],
  confirmed: ['confirmed', 'canceled', 'needs_attention'],
  canceled: ['canceled'],
  rejected: ['rejected', 'confirmed', 'canceled']
}
const statuses = Object.keys(allowed) as BookingStatus[]

t.test('a booking goes from status to status as its table says, and throws otherwise', async (t) => {
  for (const from of statuses) {
    for (const to of statuses) {
      const change = () => revise(aBooking({ status: from }), at, { status: to })
      if (allowed[from].includes(to)) t.equal(change().status, to, `${from} → ${to}`)
      else t.throws(change, /cannot go from/, `${from} → ${to}`)
    }
  }
})

t.test('a change goes from step to step as its table says, and throws otherwise', async (t) => {
  const reschedule = (step: Reschedule['step'], cancelFirst = false): Reschedule => ({
    kind: 'reschedule',
    state: 'pending',
    requestedAt: at,
    step,
    cancelFirst,
    to: { startTime: tuesday, endTime: tuesday + minuteMs, hosts: [] }
  })
  const changes = {
    none: undefined,
    cancel: {
      kind: 'cancel',
      state: 'pending',
      requestedAt: at,
      cancelerType: 'host',
      canceledBy: 'Hedy',
      scope: 'event'
    },
    move: { kind: 'move', state: 'pending', requestedAt: at },
    booking_new: reschedule('booking_new'),
    canceling_old: reschedule('canceling_old'),
    canceling_new: reschedule('canceling_new'),
    first_canceling_old: reschedule('canceling_old', true),
    then_booking_new: reschedule('booking_new', true),
    then_rebooking_old: reschedule('rebooking_old', true)
  } as const
  type Name = keyof typeof changes
  const may: Record<Name, readonly Name[]> = {
    none: ['cancel', 'move', 'booking_new', 'canceling_new', 'first_canceling_old'],
    cancel: ['none', 'move'],
    move: ['none'],
    booking_new: ['canceling_old', 'canceling_new', 'none', 'move'],
    canceling_old: ['canceling_new', 'none', 'move'],
    canceling_new: ['none', 'move'],
    first_canceling_old: ['then_booking_new', 'none', 'move'],
    then_booking_new: ['then_rebooking_old', 'none'],
    then_rebooking_old: ['none']
  }
  const names = Object.keys(changes) as Name[]
  for (const from of names) {
    for (const to of names) {
      const booking = aBooking({ status: 'confirmed', change: changes[from] })
      const change = () => revise(booking, at, { change: changes[to] })
      if (from === to || may[from].includes(to)) t.equal(change().change, changes[to], `${from} → ${to}`)
      else t.throws(change, /cannot go from/, `${from} → ${to}`)
    }
  }
})

t.test('a change makes the next version, at its time, and leaves the one before alone', async (t) => {
  const before = aBooking({ version: 4 })
  t.match(revise(before, at, { noShow: true }), {
    version: 5,
    updatedAt: at,
    noShow: true,
    status: 'pending'
  })
  t.match(before, { version: 4, noShow: false })
})

t.test('confirmed, it takes from Calendly what it knows and keeps what was asked for', async (t) => {
  const asked = aBooking({
    status: 'unknown',
    rejection: { code: 'internal', detail: '' },
    resolution: { since: at, lookups: 1, posts: 1 },
    tracking: { utmTerm: 'ours' }
  })
  const invitee = anInvitee('A', { tracking: { utmTerm: 'bkg_1' } })
  t.match(confirmed(asked, at, invitee), {
    status: 'confirmed',
    startTime: tuesday,
    hosts: [{ user: host }],
    tracking: { utmTerm: 'ours' },
    calendly: { event: anEvent('A').uri, invitee: inviteeUri('A') },
    rejection: undefined,
    resolution: undefined
  })
  const moved = anEvent('A', { startTime: tuesday + minuteMs, hosts: [{ user: 'B', name: 'Bea' }] })
  t.match(confirmed(asked, at, invitee, moved), {
    startTime: tuesday + minuteMs,
    endTime: tuesday + 31 * minuteMs,
    hosts: [{ user: 'B', name: 'Bea' }],
    location: { type: 'google_conference' }
  })
  t.match(confirmed(asked, at, invitee, anEvent('A', { hosts: [] })).hosts, [{ user: host }])
})

t.test('a fact that nobody asked for makes a booking of its own', async (t) => {
  const group = anEvent('A', { inviteesCounter: { total: 1, active: 1, limit: 5 } })
  t.match(
    bookingFromFact({ id: 'bkg_9', tenantId: 'default', source: 'webhook' }, at, anInvitee('A'), group),
    {
      id: 'bkg_9',
      source: 'webhook',
      status: 'confirmed',
      isGroup: true,
      version: 1,
      startTime: tuesday,
      invitee: { email: 'ada@example.com' },
      createdAt: at
    }
  )
})

t.test('completed, it knows its room and its hosts', async (t) => {
  const booking = aBooking({ status: 'confirmed' })
  t.match(completed(booking, at, anEvent('A')), {
    status: 'confirmed',
    version: 2,
    location: { type: 'google_conference' },
    hosts: [{ user: host, name: 'Hedy Host' }]
  })
})

const intent = {
  kind: 'cancel',
  state: 'unknown',
  requestedAt: at - 5,
  cancelerType: 'system',
  canceledBy: 'system',
  reason: 'Closed',
  scope: 'invitee'
} as const

t.test('who canceled is what our intent says, else Calendly’s word, else the invitee', async (t) => {
  const booking = aBooking({ status: 'confirmed' })
  const fact = { cancelerType: 'host', canceledBy: 'Hedy', createdAt: at - 1 }
  t.match(canceled({ ...booking, change: intent }, at, fact), {
    status: 'canceled',
    change: undefined,
    cancellation: { cancelerType: 'system', canceledBy: 'system', reason: 'Closed', canceledAt: at - 1 }
  })
  t.match(canceled(booking, at, fact).cancellation, {
    cancelerType: 'host',
    canceledBy: 'Hedy',
    canceledAt: at - 1
  })
  t.match(canceled(booking, at, { ...fact, cancelerType: 'invitee' }).cancellation, {
    cancelerType: 'invitee'
  })
  t.match(canceled(booking, at, undefined).cancellation, { cancelerType: 'invitee', canceledAt: at })
})

t.test('when it was canceled is Calendly’s time, else that of our intent', async (t) => {
  const booking = aBooking({ status: 'confirmed', change: intent })
  t.match(canceled(booking, at, { reason: 'Rain' }).cancellation, { canceledAt: at - 5, reason: 'Rain' })
})

t.test('a reschedule that was begun says nothing about who canceled', async (t) => {
  const change = { kind: 'move', state: 'pending', requestedAt: at } as const
  const booking = aBooking({ status: 'confirmed', change })
  t.match(canceled(booking, at, { cancelerType: 'host' }).cancellation, { cancelerType: 'host' })
})
