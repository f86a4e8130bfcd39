import type { Booking, Rejection } from './booking.ts'
import { type BookingRequest, draftBooking } from './booking-draft.ts'
import type { BookingFilter, BookingReads, TimelineEntry, Transact } from './booking-tables.ts'
import type { EventType } from './calendly.ts'
import type { Caller } from './callers.ts'
import { attemptClaim } from './claim-attempt.ts'
import type { ClaimRuleBook } from './claim-rules.ts'
import { type ClaimRules, claimTime, type Taken, type Wanted } from './claiming.ts'
import type { Asked } from './conflict.ts'
import type { Conflicts } from './conflicts.ts'
import type { Cursors } from './cursor.ts'
import { AppError } from './errors.ts'
import { checkHold, heldRules, heldTime, useHold } from './hold-use.ts'
import type { Execution } from './idempotency.ts'
import { createId } from './ids.ts'
import type { Outcomes } from './outcomes.ts'
import type { PaymentCheck } from './payment-check.ts'
import { planReading } from './refund-plan.ts'
import { presentPolicy } from './refund-policies.ts'
import { checkRequirements } from './requirements.ts'
import { buffersOf, isTooSoon } from './settings.ts'
import { claimMode } from './slots.ts'
import { submissionLeaseMs } from './submission.ts'
import type { System } from './system.ts'

type Deps = {
  system: System
  cursors: Cursors
  transact: Transact
  reads: BookingReads
  outcomes: Outcomes
  conflicts: Pick<Conflicts, 'refuseIfTaken' | 'lost'>
  claimRules: ClaimRuleBook
  payments: Pick<PaymentCheck, 'checkIntent'>
  calendly: {
    eventTypeUri: (text: string) => string | undefined
    getEventType: (tenantId: string, uri: string) => Promise<EventType>
    /** Not as it was remembered for more than some seconds. */
    renewEventType: (tenantId: string, uri: string) => Promise<EventType>
    listHosts: (eventType: EventType) => Promise<readonly string[]>
  }
}

/** Whose time a booking wants and what is asked of that time. */
type Plan = { asked: Asked; time: Pick<Wanted, 'hosts' | 'mode' | 'replaces'>; rules: ClaimRules }

export function createBookings(deps: Deps) {
  const { system, cursors, transact, reads, outcomes, conflicts, claimRules, payments, calendly } = deps

  return {
    /**
     * Books, or says why not. `pending` or `unknown` in the answer means that Calendly's own answer
     * was lost and is being looked for. Resumes what an earlier run of the same request began.
     */
    async create(caller: Caller, request: BookingRequest, execution: Execution): Promise<Booking> {
      if (execution.subject !== undefined) return resume(caller, execution.subject)
      if (request.startTime <= system.now()) throw new AppError('start_time_in_past')
      const eventType = await suitedType(caller, request)
      const [plan] = await Promise.all([
        planOf(caller, request, eventType),
        payments.checkIntent(caller.tenantId, request.paymentIntent)
      ])
      const id = createId('bkg', system)
      const draft = draftBooking({ id, tenantId: caller.tenantId }, system.now(), request, {
        eventType,
        hosts: plan.time.hosts,
        buffers: buffersOf(plan.rules.settings)
      })
      const { taken, booking } = await claim(caller, draft, plan, execution)
      if (taken.kind !== 'taken') throw await conflicts.lost(plan.asked, taken.kind)
      return answerOf(await submit(booking, execution))
    },

    async get({ tenantId }: Caller, id: string): Promise<Booking> {
      const booking = await reads.find(tenantId, id)
      if (!booking) throw new AppError('booking_not_found')
      return booking
    },

    /** Newest first. */
    async list(
      { tenantId }: Caller,
      { cursor, ...filter }: Omit<BookingFilter, 'before' | 'now'> & { cursor?: string | undefined }
    ): Promise<{ bookings: Booking[]; nextCursor: string | null }> {
      const before = cursor === undefined ? undefined : cursors.decode('bookings', cursor)
      const page = await reads.list(tenantId, {
        ...filter,
        eventType: filter.eventType && (calendly.eventTypeUri(filter.eventType) ?? filter.eventType),
        before,
        limit: filter.limit + 1,
        now: system.now()
      })
      const bookings = page.slice(0, filter.limit)
      const last = page.length > filter.limit ? bookings.at(-1) : undefined
      return { bookings, nextCursor: last ? cursors.encode('bookings', last.id) : null }
    },

    async timeline({ tenantId }: Caller, id: string): Promise<TimelineEntry[]> {
      const booking = await reads.find(tenantId, id)
      if (!booking) throw new AppError('booking_not_found')
      return reads.timeline(tenantId, id)
    }
  }

  /** A fault that is found in what is remembered of the event type is looked for once more in what it is now. */
  async function suitedType({ tenantId }: Caller, request: BookingRequest): Promise<EventType> {
    const known = await calendly.getEventType(tenantId, request.eventType)
    try {
      checkRequirements(known, request)
      return known
    } catch (error) {
      if (!(error instanceof AppError)) throw error
    }
    const renewed = await calendly.renewEventType(tenantId, known.uri)
    checkRequirements(renewed, request)
    return renewed
  }

  /** Who has a hold has passed the rules with it. */
  async function planOf(caller: Caller, request: BookingRequest, eventType: EventType): Promise<Plan> {
    const { tenantId } = caller
    const { startTime, holdId } = request
    const wanted = { tenantId, eventType, startTime, timeZone: request.invitee.timezone }
    if (holdId !== undefined) {
      const hold = await reads.findHold(tenantId, holdId)
      checkHold(hold, caller, { eventType: eventType.uri, startTime })
      const asked = { ...wanted, hosts: hold.hosts, exclude: [hold.id] }
      return { asked, time: heldTime(hold), rules: heldRules(hold) }
    }
    const hosts = await calendly.listHosts(eventType)
    const asked = { ...wanted, hosts }
    await conflicts.refuseIfTaken(asked)
    const rules = await claimRules.rulesFor(tenantId, eventType, startTime)
    if (isTooSoon(rules.settings, startTime, system.now())) throw await conflicts.lost(asked)
    return { asked, time: { hosts, mode: claimMode(eventType) }, rules }
  }

  /** Writes the intent and takes the time, or neither. */
  async function claim(
    caller: Caller,
    draft: Booking,
    plan: Plan,
    execution: Execution
  ): Promise<{ taken: Taken; booking: Booking }> {
    const { id, holdId, tenantId, eventType, isGroup, startTime, endTime, createdAt } = draft
    let booking = draft
    const taken = await attemptClaim(transact, async (tables) => {
      booking = { ...draft, refundPolicy: await presentPolicy(tables, tenantId, eventType) }
      await tables.bookings.insert(booking, submissionLeaseMs)
      const detail = holdId === undefined ? {} : { hold_id: holdId }
      await tables.timeline.add(booking, { at: createdAt, type: 'requested', detail })
      await execution.begin(tables, id)
      await planReading(tables, booking)
      if (holdId !== undefined) await useHold(tables, caller, holdId, booking, id, createdAt)
      const time = { tenantId, eventType, isGroup, startTime, endTime, ...plan.time }
      return claimTime(tables, { ...time, ownerId: id }, plan.rules)
    })
    return { taken, booking }
  }

  /** From here on it may be booked: an outcome that cannot be written down is unknown, not a failure to try again. */
  async function submit(booking: Booking, execution: Execution): Promise<Booking> {
    return outcomes.submit(booking, execution).catch((error) => {
      if (error instanceof AppError && error.code === 'database_unavailable') return booking
      throw error
    })
  }

  async function resume({ tenantId }: Caller, id: string): Promise<Booking> {
    const booking = await reads.find(tenantId, id)
    if (!booking) throw new Error(`${id} was begun and has vanished`)
    return answerOf(booking)
  }

  async function answerOf(booking: Booking): Promise<Booking> {
    const { status, rejection } = booking
    if (status !== 'rejected' || !rejection) return booking
    if (rejection.code === 'slot_unavailable') throw await lost(booking, rejection)
    throw new AppError(rejection.code, rejection.detail, {
      ...(rejection.retryAfterMs !== undefined && { retryAfterMs: rejection.retryAfterMs }),
      ...(rejection.pointer !== undefined && {
        faults: [{ pointer: rejection.pointer, detail: rejection.detail }]
      })
    })
  }

  async function lost(booking: Booking, { detail }: Rejection): Promise<AppError> {
    const { id, tenantId, hosts, startTime, invitee } = booking
    try {
      const eventType = await calendly.getEventType(tenantId, booking.eventType)
      const users = hosts.map(({ user }) => user)
      const { timezone: timeZone } = invitee
      return await conflicts.lost({ tenantId, eventType, hosts: users, startTime, timeZone, exclude: [id] })
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      return new AppError('slot_unavailable', detail)
    }
  }
}

export type Bookings = ReturnType<typeof createBookings>
