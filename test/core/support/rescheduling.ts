import { sql } from 'kysely'
import type { Booking } from '../../../src/core/booking.ts'
import { sessionOf } from '../../../src/core/booking.ts'
import type { BookingTables, Transact } from '../../../src/core/booking-tables.ts'
import type { EventType } from '../../../src/core/calendly.ts'
import { AppError } from '../../../src/core/errors.ts'
import { createFacts } from '../../../src/core/facts.ts'
import { createLookUp, type Seen } from '../../../src/core/look-up.ts'
import type { RescheduleRequest } from '../../../src/core/reschedule-refusals.ts'
import { createRescheduleSaga } from '../../../src/core/reschedule-saga.ts'
import { createReschedules } from '../../../src/core/reschedules.ts'
import { createResolution } from '../../../src/core/resolution.ts'
import { defaultSettings } from '../../../src/core/settings.ts'
import { aBooking, anEventType, host, minuteMs, tuesday } from '../../support/samples.ts'
import { fakeSystem } from '../../support/system.ts'
import type { openTables } from '../../support/tables.ts'
import { littleCalendly } from './little-calendly.ts'

type Tables = Awaited<ReturnType<typeof openTables>>

export const old = tuesday
export const later = tuesday + 120 * minuteMs
export const schedule = {
  lookupsMs: [1_000, 5_000, 60_000],
  absenceMs: 15_000,
  attentionMs: 15 * minuteMs
}
const caller = { tenantId: 'default', name: 'shop', scopes: [] }

/** The process is gone: nothing of it is written any more. */
export class Death extends Error {}

/** A confirmed booking of ours, a Calendly that has it, and a service that can die after any commit. */
export async function aWorld(tables: Tables, changes: Partial<Booking> = {}) {
  const { db, reads } = tables
  for (const table of [
    'claims',
    'invitees',
    'booking_timeline',
    'holds',
    'bookings',
    'sessions',
    'event_type_settings'
  ]) {
    await sql`delete from ${sql.table(table)}`.execute(db)
  }
  const system = fakeSystem(tuesday - 600 * minuteMs)
  const world = littleCalendly(system.now)
  const { invitee, event } = world.add(old, { tracking: { utmTerm: 'bkg_1' } })
  const booking = aBooking({
    status: 'confirmed',
    tracking: { utmTerm: 'the caller’s' },
    questionsAndAnswers: [{ question: 'Why?', answer: 'So', position: 0 }],
    guests: ['guest@example.com'],
    requestedLocation: { kind: 'google_conference' },
    location: event.location,
    hosts: event.hosts,
    calendly: {
      event: event.uri,
      invitee: invitee.uri,
      cancelUrl: invitee.cancelUrl,
      rescheduleUrl: invitee.rescheduleUrl
    },
    ...changes
  })
  await tables.transact(async (inside) => {
    await inside.bookings.insert(booking)
    await inside.invitees.put('default', { uri: invitee.uri, bookingId: booking.id, state: 'active' })
    await inside.claims.take({
      tenantId: 'default',
      ownerId: booking.id,
      session: sessionOf(booking),
      hosts: [host],
      mode: 'all',
      startTime: old,
      endTime: old + 30 * minuteMs
    })
  })

  const life = { commitsLeft: Number.POSITIVE_INFINITY, commits: 0 }
  const transact: Transact = async (work) => {
    if (life.commitsLeft <= 0) throw new Death()
    const result = await tables.transact(work)
    life.commits++
    if (--life.commitsLeft <= 0) throw new Death()
    return result
  }
  const eventType: EventType = anEventType({
    locations: [{ kind: 'google_conference' }],
    questions: [
      {
        name: 'Why?',
        type: 'string',
        position: 0,
        enabled: true,
        required: false,
        answerChoices: [],
        includeOther: false
      }
    ]
  })
  const settings = { ...defaultSettings }
  const unoffered = new Set<number>()
  const facts = createFacts({ system })
  const lookUp = createLookUp({ calendly: world.calendly, schedule })
  const saga = createRescheduleSaga({ system, transact, facts, lookUp, calendly: world.calendly })
  const { reschedule } = createReschedules({
    system,
    transact,
    reads,
    saga,
    conflicts: {
      refuseIfTaken: async () => {},
      lost: async (_asked, loss) => new AppError('slot_unavailable', loss ?? 'Calendly')
    },
    claimRules: { rulesFor: async () => ({ settings }) },
    offers: {
      find: async (_eventType, startTime) =>
        unoffered.has(startTime) ? undefined : { startTime, inviteesRemaining: 1 }
    },
    calendly: { ...world.calendly, getEventType: async () => eventType, listHosts: async () => [host] }
  })
  const { resolveNext } = createResolution({
    system,
    transact,
    facts,
    lookUp,
    calendly: world.calendly,
    rescheduling: saga,
    outcomes: { submit: async (one) => one },
    cancellations: { resume: async () => {} }
  })
  const key = { subject: undefined as string | undefined, forgotten: false }
  const execution = () => ({
    subject: key.subject,
    begin: async (_tables: unknown, subject: string) => {
      key.subject = subject
    },
    forget: async () => {
      key.forgotten = true
      key.subject = undefined
    }
  })

  const service = {
    world,
    booking,
    settings,
    /** Starts that Calendly does not offer. */
    unoffered,
    eventType,
    life,
    key,
    system,
    transact: tables.transact,
    reschedule: (request: Partial<RescheduleRequest> = {}) =>
      reschedule(caller, 'bkg_1', { startTime: later, cancelFirst: false, ...request }, execution()),
    tell: ({ invitee, event }: Seen) =>
      tables.transact((inside) => facts.apply(inside, 'default', invitee, event, 'webhook')),
    /** Lets `ms` pass on our clock, makes it due on the database's, and resolves until nothing is due any more. */
    async after(ms: number): Promise<Booking> {
      await system.sleep(ms)
      await sql`update bookings set resolve_at = now() where resolve_at is not null`.execute(db)
      while (await resolveNext());
      return service.read()
    },
    /** Time passes until nothing is left to be found out. */
    async settle(rounds = 12): Promise<Booking> {
      for (let n = 0; n < rounds && (await service.isWaiting()); n++) await service.after(schedule.absenceMs)
      return service.read()
    },
    async isWaiting(): Promise<boolean> {
      const { rows } = await sql`select 1 from bookings where resolve_at is not null`.execute(db)
      return rows.length > 0
    },
    /** A process that takes the place of the one that has died. */
    revive(): void {
      life.commitsLeft = Number.POSITIVE_INFINITY
    },
    async read(id = 'bkg_1'): Promise<Booking> {
      const found = await reads.find('default', id)
      if (!found) throw new Error(`${id} is gone`)
      return found
    },
    bookings: () => reads.list('default', { limit: 10, now: 0 }),
    timeline: async () => (await reads.timeline('default', 'bkg_1')).map(({ type }) => type),
    entries: () => reads.timeline('default', 'bkg_1'),
    /** Starts of what it claims, in minutes from the old time. */
    async claims(ownerId = 'bkg_1'): Promise<number[]> {
      const claims = await reads.claimsBetween('default', [host], old - 6_000_000, later + 60_000_000)
      return claims
        .filter((claim) => claim.ownerId === ownerId)
        .map(({ startTime }) => (startTime - old) / minuteMs)
        .sort((a, b) => a - b)
    },
    inTables: <T>(work: (inside: BookingTables) => Promise<T>) => tables.transact(work)
  }
  return service
}

export type World = Awaited<ReturnType<typeof aWorld>>
