import { type Booking, type Invitee, sessionOf } from './booking.ts'
import type { BookingFilter, BookingReads, TimelineEntry, Transact } from './booking-tables.ts'
import type { Answer, EventType, Tracking } from './calendly.ts'
import type { Caller } from './callers.ts'
import type { Cursors } from './cursor.ts'
import { AppError } from './errors.ts'
import type { Execution } from './idempotency.ts'
import { createId } from './ids.ts'
import { type Outcomes, submissionLeaseMs } from './outcomes.ts'
import type { SlotConflicts } from './slot-conflicts.ts'
import { claimMode } from './slots.ts'
import type { System } from './system.ts'

export type BookingRequest = {
  eventType: string
  startTime: number
  invitee: Invitee & { timezone: string }
  location?: { kind: string; location?: string | undefined } | undefined
  questionsAndAnswers: readonly Answer[]
  tracking: Tracking
  guests: readonly string[]
  holdId?: string | undefined
  paymentIntent?: string | undefined
  sessionId?: string | undefined
  metadata: Readonly<Record<string, string>>
}

type Deps = {
  system: System
  cursors: Cursors
  transact: Transact
  reads: BookingReads
  outcomes: Outcomes
  conflicts: SlotConflicts
  calendly: {
    eventTypeUri: (text: string) => string | undefined
    getEventType: (tenantId: string, uri: string) => Promise<EventType>
    listHosts: (eventType: EventType) => Promise<readonly string[]>
  }
}

export function createBookings({ system, cursors, transact, reads, outcomes, conflicts, calendly }: Deps) {
  return {
    /**
     * Books, or says why not. `pending` or `unknown` in the answer means that Calendly's own answer
     * was lost and is being looked for. Resumes what an earlier run of the same request began.
     */
    async create(caller: Caller, request: BookingRequest, execution: Execution): Promise<Booking> {
      if (execution.subject !== undefined) return resume(caller, execution.subject)
      const { booking, mode } = await draft(caller, request)
      await conflicts.refuseIfClaimed(booking, mode)
      const isOurs = await claim(booking, mode, execution)
      if (!isOurs) throw await conflicts.lost(booking)
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

  async function draft({ tenantId }: Caller, request: BookingRequest) {
    const now = system.now()
    if (request.startTime <= now) throw new AppError('start_time_in_past')
    // Holds come later; until then none exists under any id.
    if (request.holdId !== undefined) throw new AppError('hold_not_found')
    const eventType = await calendly.getEventType(tenantId, request.eventType)
    const hosts = await calendly.listHosts(eventType)
    const booking: Booking = {
      id: createId('bkg', system),
      tenantId,
      status: 'pending',
      source: 'api',
      eventType: eventType.uri,
      isGroup: eventType.kind === 'group',
      startTime: request.startTime,
      endTime: request.startTime + eventType.durationMinutes * 60_000,
      invitee: request.invitee,
      hosts: hosts.map((user) => ({ user })),
      requestedLocation: request.location,
      questionsAndAnswers: request.questionsAndAnswers,
      tracking: request.tracking,
      guests: request.guests,
      sessionId: request.sessionId,
      metadata: request.metadata,
      calendly: {},
      payment:
        request.paymentIntent === undefined
          ? undefined
          : { provider: 'stripe', paymentIntent: request.paymentIntent },
      reschedules: [],
      noShow: false,
      version: 1,
      createdAt: now,
      updatedAt: now
    }
    return { booking, mode: claimMode(eventType) }
  }

  /** Writes the intent and takes the time, or neither: false when somebody else has it. */
  async function claim(booking: Booking, mode: 'all' | 'any', execution: Execution): Promise<boolean> {
    try {
      await transact(async (tables) => {
        await tables.bookings.insert(booking, submissionLeaseMs)
        await tables.timeline.add(booking, { at: booking.createdAt, type: 'requested', detail: {} })
        await execution.begin(tables, booking.id)
        const hosts = await tables.claims.take({
          tenantId: booking.tenantId,
          ownerId: booking.id,
          session: sessionOf(booking),
          hosts: booking.hosts.map(({ user }) => user),
          mode,
          startTime: booking.startTime,
          endTime: booking.endTime
        })
        if (!hosts) throw new AppError('slot_unavailable')
      })
      return true
    } catch (error) {
      if (error instanceof AppError && error.code === 'slot_unavailable') return false
      throw error
    }
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
    if (rejection.code === 'slot_unavailable') throw await conflicts.lost(booking)
    throw new AppError(rejection.code, rejection.detail, {
      ...(rejection.retryAfterMs !== undefined && { retryAfterMs: rejection.retryAfterMs }),
      ...(rejection.pointer !== undefined && {
        faults: [{ pointer: rejection.pointer, detail: rejection.detail }]
      })
    })
  }
}

export type Bookings = ReturnType<typeof createBookings>
