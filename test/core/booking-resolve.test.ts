import t, { type Test } from 'tap'
import type { Booking } from '../../src/core/booking.ts'
import { createBookingResolve } from '../../src/core/booking-resolve.ts'
import type { EventFact, InviteeFact } from '../../src/core/calendly.ts'
import { AppError } from '../../src/core/errors.ts'
import { createFacts } from '../../src/core/facts.ts'
import type { Execution } from '../../src/core/idempotency.ts'
import type { Seen } from '../../src/core/look-up.ts'
import { aBooking, anEvent, anInvitee, inviteeUri, minuteMs, tuesday } from '../support/samples.ts'
import { openTables } from '../support/tables.ts'

const { db, transact, reads } = await openTables(t)
const caller = { tenantId: 'default', name: 'ops', scopes: [] }
const once: Execution = { subject: undefined, begin: async () => {}, forget: async () => {} }
const hourMs = 60 * minuteMs
const system = {
  now: () => tuesday - hourMs,
  sleep: async () => {},
  random: () => 0.5,
  id: crypto.randomUUID
}
const facts = createFacts({ system })
let bookings = 0

/** A booking that needs a human, its time claimed, and a Calendly that has what `seen` has. */
async function stuck(changes: Partial<Booking> = {}, alsoClaimed: readonly number[] = []) {
  const name = `S${++bookings}`
  const host = `host-${name}`
  const hosts = [{ user: host, name: 'Hedy Host' }]
  const booking = aBooking({ id: `bkg_${name}`, status: 'needs_attention', hosts, ...changes })
  await transact(async (tables) => {
    await tables.bookings.insert(booking)
    for (const startTime of [booking.startTime, ...alsoClaimed]) {
      const time = { startTime, endTime: startTime + 30 * minuteMs }
      const owner = { tenantId: 'default', ownerId: booking.id, session: booking.id }
      await tables.claims.takeFree({ ...owner, hosts: [host], ...time })
    }
  })
  const seen: Seen[] = []
  const state = { isReadable: true, dropped: 0 }
  const { resolve } = createBookingResolve({
    system,
    transact,
    reads,
    facts,
    lookUp: {
      find: async (_booking, startTime, isIt) =>
        state.isReadable
          ? seen.filter(({ invitee, event }) => event.startTime === startTime && isIt(invitee, event))
          : undefined
    },
    calendly: {
      findInvitee: async (uri) => seen.find(({ invitee }) => invitee.uri === uri)?.invitee,
      findEvent: async (uri) => seen.find(({ event }) => event.uri === uri)?.event,
      dropAvailability: () => {
        state.dropped++
      }
    }
  })
  return {
    id: booking.id,
    booking,
    host,
    state,
    resolve: (
      outcome: 'confirmed' | 'rejected',
      invitee?: string,
      { execution = once, by = caller }: { execution?: Execution; by?: typeof caller } = {}
    ) => resolve(by, booking.id, { outcome, invitee }, execution),
    /** Calendly has this invitee; its URI. */
    has(suffix = 'A', invitee: Partial<InviteeFact> = {}, event: Partial<EventFact> = {}) {
      const one = {
        invitee: anInvitee(name + suffix, invitee),
        event: { ...anEvent(name + suffix, event), hosts }
      }
      seen.push(one)
      return one
    },
    now: () => reads.find('default', booking.id),
    claims: async () =>
      (await reads.claimsBetween('default', [host], tuesday - 24 * hourMs, tuesday + 24 * hourMs)).map(
        ({ startTime }) => startTime
      ),
    entries: () => reads.timeline('default', booking.id),
    audit: () =>
      db
        .selectFrom('audit_log')
        .select(['actor', 'action', 'detail'])
        .where('subject', '=', booking.id)
        .execute()
  }
}

type Stuck = Awaited<ReturnType<typeof stuck>>

async function isUnchanged(t: Test, { booking, now, claims, entries, audit }: Stuck, name: string) {
  t.match(await now(), { status: 'needs_attention', version: booking.version }, name)
  t.same(await claims(), [booking.startTime], name)
  t.same([...(await entries()), ...(await audit())], [], name)
}

t.test('a named invitee confirms the booking, whatever tracking it carries', async (t) => {
  const { resolve, has, claims, entries, audit, state } = await stuck()
  const { invitee } = has()
  t.match(await resolve('confirmed', invitee.uri), {
    status: 'confirmed',
    calendly: { invitee: invitee.uri, event: invitee.event }
  })
  t.same(await claims(), [tuesday])
  const told = await entries()
  t.same(told.at(-1)?.detail, { outcome: 'confirmed', calendly_invitee: invitee.uri, by: 'caller:ops' })
  t.same(
    told.map(({ type }) => type),
    ['confirmed', 'resolved']
  )
  t.match(await audit(), [
    { actor: 'caller:ops', action: 'booking.resolved', detail: { outcome: 'confirmed' } }
  ])
  t.equal(state.dropped, 1)
})

t.test('another start than was asked for is taken over and told', async (t) => {
  const { resolve, has, claims, entries } = await stuck()
  const { invitee } = has('A', {}, { startTime: tuesday + hourMs, endTime: tuesday + 1.5 * hourMs })
  t.match(await resolve('confirmed', invitee.uri), { startTime: tuesday + hourMs })
  t.same(await claims(), [tuesday + hourMs])
  t.match((await entries()).at(-1), {
    type: 'resolved',
    detail: { asked_start_time: '2026-12-01T10:00:00Z' }
  })
})

t.test('what Calendly does not bear out is refused at the field, and changes nothing', async (t) => {
  const reasons: Record<string, [invitee?: Partial<InviteeFact>, event?: Partial<EventFact>]> = {
    'another event type': [{}, { eventType: 'https://api.calendly.com/event_types/OTHER' }],
    'another e-mail': [{ email: 'eve@example.com' }],
    'a canceled invitee': [{ status: 'canceled' }],
    'a canceled event': [{}, { status: 'canceled' }]
  }
  for (const [name, facts] of Object.entries(reasons)) {
    const one = await stuck()
    const { invitee } = one.has('A', ...facts)
    const refusal = { code: 'validation_failed', faults: [{ pointer: '#/calendly_invitee' }] }
    await t.rejects(one.resolve('confirmed', invitee.uri), refusal, name)
    await isUnchanged(t, one, name)
  }
  const one = await stuck()
  await t.rejects(one.resolve('confirmed', inviteeUri('NOBODY')), { code: 'validation_failed' })
  const { invitee } = one.has()
  await transact(({ invitees }) =>
    invitees.put('default', { uri: invitee.uri, bookingId: 'bkg_S1', state: 'active' })
  )
  await t.rejects(one.resolve('confirmed', invitee.uri), { message: /It belongs to bkg_S1/ })
  await isUnchanged(t, one, 'of another booking')
})

t.test('without a name our mark decides, and nothing else does', async (t) => {
  const found = await stuck()
  const { invitee } = found.has('A', { tracking: { utmTerm: found.id } })
  found.has('B')
  t.match(await found.resolve('confirmed'), { status: 'confirmed', calendly: { invitee: invitee.uri } })

  const one = await stuck()
  one.has('OTHER', { email: 'eve@example.com', tracking: { utmTerm: one.id } })
  await t.rejects(one.resolve('confirmed'), { code: 'validation_failed', message: /nothing of this person/ })
  const { invitee: unmarked } = one.has()
  await t.rejects(one.resolve('confirmed'), { message: new RegExp(unmarked.uri) })
  one.has('B', { tracking: { utmTerm: one.id } })
  one.has('C', { tracking: { utmTerm: one.id } })
  await t.rejects(one.resolve('confirmed'), { code: 'validation_failed' })
  one.state.isReadable = false
  await t.rejects(one.resolve('confirmed'), { code: 'calendly_unavailable' })
  await isUnchanged(t, one, 'undecided')
})

t.test('rejected gives back the time and the hold that it was booked with', async (t) => {
  const id = 'hld_of_stuck'
  const { booking, host, resolve, claims, entries } = await stuck({ holdId: id })
  await transact(({ holds }) =>
    holds.insert(
      {
        id,
        tenantId: 'default',
        caller: 'shop',
        status: 'used',
        eventType: booking.eventType,
        isGroup: false,
        startTime: tuesday,
        endTime: tuesday + 30 * minuteMs,
        hosts: [host],
        mode: 'all',
        bookingId: booking.id,
        expiresAt: 0,
        createdAt: 0,
        updatedAt: 0
      },
      hourMs
    )
  )
  t.match(await resolve('rejected'), { status: 'rejected', rejection: { code: 'calendly_rejected' } })
  t.match(await reads.findHold('default', id), { status: 'active' })
  t.same(await claims(), [tuesday], 'the hold’s')
  t.match((await entries()).at(-1), { type: 'resolved', detail: { outcome: 'rejected', by: 'caller:ops' } })
  const plain = await stuck()
  await plain.resolve('rejected')
  t.same(await plain.claims(), [])
})

t.test(
  'the same word again changes nothing, another one is refused, and so is what needs nobody',
  async (t) => {
    const one = await stuck()
    const { invitee } = one.has()
    const first = await one.resolve('confirmed', invitee.uri)
    t.same(await one.resolve('confirmed', invitee.uri), first)
    t.same(await one.resolve('confirmed'), first)
    const refusal = { code: 'not_resolvable' }
    await t.rejects(one.resolve('confirmed', inviteeUri('OTHER')), refusal)
    await t.rejects(one.resolve('rejected'), refusal)
    const other = await stuck()
    const rejected = await other.resolve('rejected')
    t.match(await other.resolve('rejected'), { status: 'rejected', version: rejected.version })
    await t.rejects(other.resolve('confirmed'), refusal)
    for (const status of ['pending', 'unknown', 'canceled'] as const) {
      const { resolve } = await stuck({ status })
      for (const outcome of ['confirmed', 'rejected'] as const)
        await t.rejects(resolve(outcome), refusal, status)
    }
    const by = { ...caller, tenantId: 'other' }
    await t.rejects((await stuck()).resolve('rejected', undefined, { by }), { code: 'booking_not_found' })
  }
)

t.test('of two at once one decides', async (t) => {
  const one = await stuck()
  const { invitee } = one.has()
  const words = await Promise.allSettled([
    one.resolve('confirmed', invitee.uri),
    one.resolve('rejected'),
    one.resolve('confirmed', invitee.uri)
  ])
  const decided = (await one.now())?.status
  const agreed = words.filter((word) => word.status === 'fulfilled' && word.value.status === decided)
  t.equal(agreed.length, decided === 'confirmed' ? 2 : 1)
  t.equal((await one.audit()).length, 1)
})

t.test('the key of a request is bound in the transaction that decides', async (t) => {
  const one = await stuck()
  const execution: Execution = {
    ...once,
    begin: async () => {
      throw new AppError('idempotency_in_progress')
    }
  }
  await t.rejects(one.resolve('rejected', undefined, { execution }), { code: 'idempotency_in_progress' })
  await isUnchanged(t, one, 'somebody else has the key')
})

/** Both events may stand: the old one could not be canceled, and the new one neither. */
async function torn() {
  const name = `S${bookings + 1}`
  const [old, next] = [anInvitee(`${name}OLD`), anInvitee(`${name}NEW`)]
  const later = tuesday + 2 * hourMs
  const one = await stuck(
    {
      calendly: { invitee: old.uri, event: old.event },
      change: {
        kind: 'reschedule',
        state: 'unknown',
        requestedAt: tuesday - 2 * hourMs,
        step: 'canceling_new',
        cancelFirst: false,
        to: { startTime: later, endTime: later + 30 * minuteMs, hosts: [] },
        successor: { invitee: next.uri, event: next.event }
      }
    },
    [later]
  )
  await transact(async ({ invitees }) => {
    for (const { uri } of [old, next]) {
      await invitees.put('default', { uri, bookingId: one.id, state: 'active' })
    }
  })
  const tracking = { utmTerm: one.id }
  const seen = {
    old: one.has('OLD', { tracking }),
    next: one.has('NEW', { tracking }, { startTime: later, endTime: later + 30 * minuteMs })
  }
  const report = (which: keyof typeof seen, changes: Partial<InviteeFact> = {}) =>
    transact((tables) =>
      facts.apply(tables, 'default', { ...seen[which].invitee, ...changes }, seen[which].event, 'webhook')
    )
  return { ...one, later, seen, report }
}

t.test('a reschedule that was cut short ends where a human says, and keeps no other time', async (t) => {
  for (const [which, isMoved] of [
    ['old', false],
    ['next', true]
  ] as const) {
    const one = await torn()
    const startTime = isMoved ? one.later : tuesday
    const { uri } = one.seen[which].invitee
    t.match(await one.resolve('confirmed', uri), {
      status: 'confirmed',
      startTime,
      calendly: { invitee: uri }
    })
    t.same(await one.claims(), [startTime])
    const settled = await one.now()
    t.notOk(settled?.change)
    t.equal(settled?.reschedules.length, isMoved ? 1 : 0)
    const other = isMoved ? 'old' : 'next'
    await one.report(other)
    await one.report(other, { status: 'canceled' })
    t.same(await one.now(), settled, 'what is said of the other event is of no more concern')
  }
})

t.test('a search in a reschedule looks at both times, and needs a name where both are there', async (t) => {
  const both = await torn()
  await t.rejects(both.resolve('confirmed'), { code: 'validation_failed', message: /OLD.*NEW/ })
  const one = await torn()
  one.seen.old.invitee.status = 'canceled'
  t.match(await one.resolve('confirmed'), { startTime: one.later })
})

t.test('a reschedule that left nothing behind is rejected with both times', async (t) => {
  const one = await torn()
  one.seen.old.invitee.status = 'canceled'
  one.seen.next.event.status = 'canceled'
  t.match(await one.resolve('rejected'), { status: 'rejected' })
  t.notOk((await one.now())?.change)
  t.same(await one.claims(), [])
})

t.test('a reschedule is not rejected while Calendly still has one of its events', async (t) => {
  for (const [gone, left] of [
    ['old', 'next'],
    ['next', 'old']
  ] as const) {
    const one = await torn()
    one.seen[gone].invitee.status = 'canceled'
    const { uri } = one.seen[left].invitee
    await t.rejects(one.resolve('rejected'), { code: 'not_resolvable', message: new RegExp(uri) })
    t.match(await one.now(), { status: 'needs_attention' })
    t.equal((await one.claims()).length, 2)
  }
})
