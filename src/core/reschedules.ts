import type { Booking, RefusedReschedule, Reschedule } from './booking.ts'
import { revise } from './booking-changes.ts'
import type { BookingReads, BookingTables, Transact } from './booking-tables.ts'
import type { Caller } from './callers.ts'
import { attemptClaim } from './claim-attempt.ts'
import { claimTime, type Taken } from './claiming.ts'
import { AppError } from './errors.ts'
import { useHold } from './hold-use.ts'
import type { Execution } from './idempotency.ts'
import { formatInstant } from './instants.ts'
import { lockBooking, note } from './recording.ts'
import { locationToCarry } from './reschedule-carry.ts'
import { createReschedulePlanning, type Plan, type PlanningDeps, sharedSeat } from './reschedule-plan.ts'
import { explained, type RescheduleRequest, refusalOf, refuseUnmovable } from './reschedule-refusals.ts'
import type { RescheduleSaga } from './reschedule-saga.ts'
import { isRescheduling, type Rescheduling } from './rescheduling.ts'
import { hasNeighbours } from './seats.ts'
import { buffersOf } from './settings.ts'
import { submissionLeaseMs } from './submission.ts'

type Deps = PlanningDeps & {
  transact: Transact
  reads: Pick<BookingReads, 'find'>
  saga: RescheduleSaga
}

/** Moves bookings to other times. Calendly cannot: it is asked for a new event, and then to cancel the old one. */
export function createReschedules(deps: Deps) {
  const { system, transact, reads, conflicts, saga, calendly } = deps
  const { planOf } = createReschedulePlanning(deps)

  return {
    /**
     * The booking at its new time, or with a `change` that is still under way. Throws why it stays where it is.
     * Resumes what an earlier run of the same request began.
     */
    async reschedule(
      caller: Caller,
      id: string,
      request: RescheduleRequest,
      execution: Execution
    ): Promise<Booking> {
      const booking = await reads.find(caller.tenantId, id)
      if (!booking) throw new AppError('booking_not_found')
      if (execution.subject !== undefined) {
        return answerOf(booking, request, beginningOf(execution.subject))
      }
      if (request.startTime <= system.now()) throw new AppError('start_time_in_past')
      refuseUnmovable(booking, request, system.now())
      const plan = await planOf(caller, booking, request)
      const begun = await begin(caller, booking, request, plan, execution)
      if (begun.kind !== 'taken') throw await conflicts.lost(plan.asked, begun.kind)
      const { rescheduling } = begun
      const after = await saga.proceed(rescheduling, execution).catch((error: unknown) => {
        // The intent is durable and the resolver goes on with it.
        if (error instanceof AppError && error.status === 503) return rescheduling
        throw error
      })
      return answerOf(after, request, rescheduling.change.requestedAt)
    }
  }

  /** Writes the intent and takes the new time besides the old one, or neither. */
  async function begin(
    caller: Caller,
    asked: Booking,
    request: RescheduleRequest,
    plan: Plan,
    execution: Execution
  ): Promise<Exclude<Taken, { kind: 'taken' }> | { kind: 'taken'; rescheduling: Rescheduling }> {
    let rescheduling: Rescheduling | undefined
    const taken = await attemptClaim(transact, async (tables) => {
      const booking = await lockBooking(tables, asked)
      const now = system.now()
      refuseUnmovable(booking, request, now)
      if (booking.isGroup && (await hasNeighbours(tables, booking))) throw sharedSeat(booking)
      // One of its own, whatever the clock says: it tells this reschedule from the one before.
      const requestedAt = Math.max(now, (booking.refusedReschedule?.requestedAt ?? 0) + 1)
      await execution.begin(tables, `${booking.id}@${requestedAt}`)
      const change = changeOf(request, plan, requestedAt)
      const requestedLocation = locationToCarry(booking, plan.eventType)
      const resolution = { since: now, lookups: 0, posts: request.cancelFirst ? 0 : 1 }
      const next = { ...revise(booking, now, { change, requestedLocation, resolution }), change }
      if (request.holdId !== undefined) {
        const wanted = { eventType: booking.eventType, startTime: request.startTime }
        await useHold(tables, caller, request.holdId, wanted, booking.id, now)
      }
      await tables.bookings.update(next, submissionLeaseMs)
      await note(tables, next, 'reschedule_requested', {
        from: formatInstant(booking.startTime),
        to: formatInstant(request.startTime),
        cancel_first: request.cancelFirst,
        ...(request.holdId !== undefined && { hold_id: request.holdId })
      })
      rescheduling = next
      return claimBeside(tables, next, plan)
    })
    if (taken.kind !== 'taken') return taken
    if (!rescheduling) throw new Error('a claim was taken for nothing')
    return { kind: 'taken', rescheduling }
  }

  /** Both times are the booking's for now. Where a group's two sessions touch, the old one makes room: it goes. */
  async function claimBeside(tables: BookingTables, booking: Rescheduling, plan: Plan): Promise<Taken> {
    const { tenantId, id: ownerId, eventType, isGroup, change } = booking
    const { startTime, endTime } = change.to
    if (isGroup) await tables.claims.release(tenantId, ownerId)
    const wanted = { tenantId, ownerId, eventType, isGroup, startTime, endTime, ...plan.time }
    const taken = await claimTime(tables, wanted, plan.rules)
    if (isGroup && taken.kind === 'taken') {
      await tables.claims.takeFree({
        tenantId,
        ownerId,
        session: `${eventType}@${booking.startTime}`,
        hosts: booking.hosts.map(({ user }) => user),
        startTime: booking.startTime,
        endTime: booking.endTime,
        buffers: booking.buffers
      })
    }
    return taken
  }

  async function answerOf(
    booking: Booking,
    { startTime }: RescheduleRequest,
    requestedAt: number
  ): Promise<Booking> {
    if (isRescheduling(booking) && booking.change.requestedAt === requestedAt) return booking
    const { refusedReschedule: refused } = booking
    if (refused?.requestedAt === requestedAt)
      throw explained(await refusal(booking, refused), booking, refused)
    // Only the latest refusal is kept: nothing but its being done says that this one was not refused.
    if (isDone(booking, startTime, requestedAt)) return booking
    throw refusalOf(booking, 'not_reschedulable', cameToNothing)
  }

  async function refusal(booking: Booking, { startTime, rejection }: RefusedReschedule): Promise<AppError> {
    const { code, detail, retryAfterMs } = rejection
    if (code !== 'slot_unavailable') return refusalOf(booking, code, detail, retryAfterMs)
    const { id, tenantId, invitee, startTime: notAt } = booking
    try {
      const eventType = await calendly.getEventType(tenantId, booking.eventType)
      const hosts = await calendly.listHosts(eventType)
      const { timezone: timeZone } = invitee
      return await conflicts.lost({ tenantId, eventType, hosts, startTime, timeZone, exclude: [id], notAt })
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      return new AppError(code, detail)
    }
  }
}

export type Reschedules = ReturnType<typeof createReschedules>

/** When the request began that an execution was interrupted in. */
const beginningOf = (subject: string) => Number(subject.split('@').at(-1))

const cameToNothing = 'It came to nothing; another reschedule was asked for since. Read the booking.'

/** Whether it has gone there since. Of what was settled by hand, or on Calendly's page, only the time is known. */
function isDone({ reschedules, startTime }: Booking, asked: number, requestedAt: number): boolean {
  const hasGone = reschedules.some(({ to, at, requestedAt: by }) =>
    by === undefined ? to === asked && at >= requestedAt : by === requestedAt
  )
  return hasGone || startTime === asked
}

function changeOf(
  { cancelFirst, holdId, startTime }: RescheduleRequest,
  { eventType, time, rules }: Plan,
  requestedAt: number
): Reschedule {
  return {
    kind: 'reschedule',
    state: 'pending',
    requestedAt,
    step: cancelFirst ? 'canceling_old' : 'booking_new',
    cancelFirst,
    to: {
      startTime,
      endTime: startTime + eventType.durationMinutes * 60_000,
      hosts: time.hosts.map((user) => ({ user })),
      buffers: buffersOf(rules.settings)
    },
    holdId
  }
}
