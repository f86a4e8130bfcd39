import type { Booking, Resolution } from './booking.ts'
import { revise } from './booking-changes.ts'
import type { Transact } from './booking-tables.ts'
import type { InviteeOutcome, InviteeRequest, Refusal } from './calendly.ts'
import type { ProblemCode } from './errors.ts'
import type { Facts } from './facts.ts'
import type { Execution } from './idempotency.ts'
import { type LookUp, postedAgain, type Seen } from './look-up.ts'
import { lockBooking, note } from './recording.ts'
import { recordAttention, type Writer } from './reschedule-ends.ts'
import { recordBooked, recordRefused } from './reschedule-records.ts'
import { createStepWriting } from './reschedule-writing.ts'
import { isAnswerToStep, isStillAt, type Rescheduling, searchOf, startOfStep } from './rescheduling.ts'
import { requestOf, submissionLeaseMs } from './submission.ts'
import type { System } from './system.ts'

type Deps = {
  system: System
  transact: Transact
  facts: Facts
  lookUp: LookUp
  calendly: { createInvitee: (request: InviteeRequest) => Promise<InviteeOutcome> }
}

/** The steps of a reschedule that book: the new time, or the old one again. */
export function createReschedulePosting({ system, transact, facts, lookUp, calendly }: Deps) {
  const write = createStepWriting({ system, transact })

  /** One `POST /invitees`, whose intent has been committed. The booking as it then stands. */
  async function post(booking: Rescheduling, execution?: Execution): Promise<Booking> {
    const sent = searchOf(booking).posts === 0 ? await take(booking) : booking
    // A process that slept past its lease leaves it to the resolver, which may be at it already.
    if (!sent || system.now() - sent.updatedAt >= submissionLeaseMs) return booking
    const outcome = await calendly.createInvitee(requestOf(sent, startOfStep(sent)))
    return write(sent, (writer, current) => settle(writer, current, outcome, execution))
  }

  /** For the resolver: looks before it sends anything again. */
  async function resume(booking: Rescheduling): Promise<Booking> {
    if (searchOf(booking).posts === 0) return post(booking)
    const startTime = startOfStep(booking)
    const found = await lookUp.find(booking, startTime, (...seen) => isAnswerToStep(booking, ...seen))
    const applied = found && found.length > 0 ? await applyNews(booking, found) : undefined
    if (applied) return applied

    const now = system.now()
    const isReadable = found !== undefined
    const { kind, resolution } = lookUp.judge(searchOf(booking), isReadable, startTime, now)
    if (kind === 'post') {
      const again = await take(booking)
      return again ? post(again) : booking
    }
    return write(booking, async (writer, current) => {
      if (current.version !== booking.version) return current
      switch (kind) {
        case 'taken':
          return recordRefused(writer, current, takenByOthers)
        case 'gone':
          return recordRefused(writer, current, neverMade)
        case 'attention':
          return recordAttention(writer, current, 'outcome_unknown', lastLook(isReadable))
        default:
          return wait(writer, current, resolution, isReadable)
      }
    })
  }

  return { post, resume }

  /** From here on it may be at Calendly. Undefined where somebody else has it in hand. */
  async function take(booking: Rescheduling): Promise<Rescheduling | undefined> {
    return transact(async (tables) => {
      const current = await lockBooking(tables, booking)
      if (current.version !== booking.version || !isStillAt(current, booking.change)) return undefined
      const before = searchOf(current)
      const next = revise(current, system.now(), { resolution: postedAgain(before) })
      await tables.bookings.update(next, submissionLeaseMs)
      if (before.posts > 0) await note(tables, next, 'submitted_again')
      return { ...next, change: current.change }
    })
  }

  /** Events that this booking has left already look like the one that is sought. */
  async function applyNews(booking: Rescheduling, found: readonly Seen[]): Promise<Booking | undefined> {
    return transact(async (tables) => {
      const current = await lockBooking(tables, booking)
      const uris = found.map(({ invitee }) => invitee.uri)
      const links = await tables.invitees.find(booking.tenantId, uris)
      const left = links.filter(({ state }) => state === 'moved' || state === 'canceled')
      const news = found.find(({ invitee }) => !left.some(({ uri }) => uri === invitee.uri))
      if (!news) return undefined
      const { invitee, event } = news
      if (invitee.status === 'active' && isStillAt(current, booking.change)) {
        return recordBooked({ tables, now: system.now(), isActor: true }, current, invitee, event)
      }
      await facts.apply(tables, booking.tenantId, invitee, event, 'reconciliation')
      return lockBooking(tables, booking)
    })
  }

  async function settle(
    writer: Writer,
    booking: Rescheduling,
    outcome: InviteeOutcome,
    execution?: Execution
  ): Promise<Booking> {
    switch (outcome.kind) {
      case 'done':
        return recordBooked(writer, booking, outcome.invitee)
      case 'ambiguous':
        return suspend(writer, booking, 'answer_lost')
      case 'not_done':
        return notSent(writer, booking, 'calendly_unavailable', outcome, execution)
      case 'refused':
        return refused(writer, booking, outcome.refusal, execution)
    }
  }

  async function refused(
    writer: Writer,
    booking: Rescheduling,
    refusal: Refusal,
    execution?: Execution
  ): Promise<Booking> {
    if (refusal.reason === 'quota') {
      return notSent(writer, booking, 'booking_quota_exhausted', refusal, execution)
    }
    // "Taken" to a second POST may mean that the first one took it: look again before believing it.
    if (refusal.reason === 'already_filled' && searchOf(booking).posts > 1) {
      return suspend(writer, booking, 'taken_on_second_post', { isTaken: true })
    }
    // Whatever else it is, there is nothing in a reschedule that its caller could mend.
    const isTaken = refusal.reason === 'already_filled'
    const code = isTaken ? 'slot_unavailable' : 'not_reschedulable'
    return recordRefused(writer, booking, { code, detail: refusal.detail })
  }

  /** Calendly surely did nothing. While nothing else was done either, that is an answer for a caller who waits. */
  async function notSent(
    writer: Writer,
    booking: Rescheduling,
    code: ProblemCode,
    { detail, retryAfterMs }: { detail: string; retryAfterMs?: number | undefined },
    execution?: Execution
  ): Promise<Booking> {
    const { change } = booking
    const search = searchOf(booking)
    if (execution && !change.cancelFirst && change.state === 'pending' && search.posts === 1) {
      await execution.forget(writer.tables)
      return recordRefused(writer, booking, { code, detail, retryAfterMs })
    }
    const posts = search.posts - 1
    const found = { posts, lookups: search.lookups + 1 }
    if (lookUp.isOverdue(search, writer.now))
      return recordAttention(writer, booking, 'not_sent', { code, detail })
    return suspend(writer, booking, posts === 0 ? 'not_sent' : 'not_sent_again', found, retryAfterMs)
  }

  async function suspend(
    { tables, now }: Writer,
    booking: Rescheduling,
    reason: string,
    found: Partial<Resolution> = {},
    retryAfterMs = 0
  ): Promise<Booking> {
    const resolution = { ...searchOf(booking), absentSince: undefined, ...found }
    const change = { ...booking.change, state: resolution.posts === 0 ? 'pending' : 'unknown' } as const
    const next = revise(booking, now, { change, resolution })
    await tables.bookings.update(next, Math.max(lookUp.nextMs(resolution, now), retryAfterMs))
    await note(tables, next, 'outcome_unknown', { reason, step: change.step })
    return next
  }

  async function wait(
    { tables, now }: Writer,
    booking: Rescheduling,
    resolution: Resolution,
    isReadable: boolean
  ): Promise<Booking> {
    const next = revise(booking, now, { change: { ...booking.change, state: 'unknown' }, resolution })
    await tables.bookings.update(next, lookUp.nextMs(resolution, now))
    await note(tables, next, 'looked_up', { step: booking.change.step, found: isReadable ? false : null })
    return next
  }
}

const takenByOthers = {
  code: 'slot_unavailable',
  detail: 'Calendly gave the time to somebody else.'
} as const
const neverMade = {
  code: 'not_reschedulable',
  detail: 'Calendly was asked for the time, did not answer, and has no booking.'
} as const
const lastLook = (isReadable: boolean) => ({ last_look: isReadable ? 'found_nothing' : 'unreadable' })
