import { AppError } from '../core/errors.ts'
import { createCaution } from './caution.ts'
import { type CalendlyError, QuotaError } from './errors.ts'
import type { Log } from './log.ts'
import type { BookingLimit, BookingQuota, MinuteQuota, Seen } from './quota.ts'
import type { Answer } from './send.ts'
import { createSparedQuota } from './spared-quota.ts'

// The part of our share that each kind of call may use up, so that what matters more finds something left.
const lanes = { booking: 1, resolution: 0.95, availability: 0.85, reconciliation: 0.5 }
export type Lane = keyof typeof lanes

// The general quota is a minute's: what says more is a mistake, and must not stop us for longer.
const longestRestMs = 65_000

/** What a call is for. A booking, `POST /invitees`, has a quota of its own beside the general one. */
export type Purpose = { lane: Lane; isBooking?: boolean | undefined }

/** How an admitted call ended: with an answer, or without one. */
export type Ending = { answer?: Answer | undefined; wasSent: boolean }

/** `isHeld`: it was not even sent, and may be once the wait is over. */
export type Throttle = { error: Error; waitMs: number; isHeld: boolean }

type Admission =
  | { throttle: Throttle; end?: undefined }
  | { throttle?: undefined; end: (ending: Ending) => Promise<void> }

type Deps = {
  quota: MinuteQuota
  bookingQuota: BookingQuota
  /** The part of Calendly's request quota that is ours, 0–1. */
  share: number
  bookingLimits: readonly BookingLimit[]
  now: () => number
  log: Log
}

/** Decides whether a Calendly user has a call left. Where bookings cannot be counted they pass: Calendly counts too. */
export function createGovernor({ quota: shared, bookingQuota, share, bookingLimits, now, log }: Deps) {
  /** The general limit of each user, which tells it from that of bookings. */
  const limits = new Map<string, number>()
  const rests = createRests(now)
  const bookingRests = createRests(now)
  const { enter } = createCaution()
  const orPass = createFallback(log)
  const quota = createSparedQuota(shared, { now, attempt: orPass })
  let usedUpUntil = 0

  async function takeMinute(user: string, lane: Lane) {
    const waitMs = rests.leftMs(user)
    if (waitMs > 0) return { isGranted: false, waitMs } as const
    return quota.take(user, 1 - share * lanes[lane])
  }

  async function takeBooking(user: string) {
    const waitMs = bookingRests.leftMs(user)
    if (waitMs > 0) return { isGranted: false, waitMs } as const
    return bookingLimits.length > 0 ? orPass(bookingQuota.take(user, bookingLimits)) : undefined
  }

  /** What an answer says of the general quota; that to a booking may speak of the other one. */
  function learn(user: string, { seen }: Answer, isBooking: boolean): Seen | undefined {
    if (!seen || (isBooking && seen.limit !== limits.get(user))) return undefined
    limits.set(user, seen.limit)
    return { ...seen, resetMs: Math.min(seen.resetMs, longestRestMs) }
  }

  return {
    /** Takes one call, to be ended when it is over, or says why and for how long there is none. */
    async admit(user: string, { lane, isBooking = false }: Purpose): Promise<Admission> {
      const leave = await enter(user)
      const booking = isBooking ? await takeBooking(user) : undefined
      if (booking?.isGranted === false) {
        leave(false)
        return { throttle: bookingsUsedUp(booking.waitMs) }
      }
      const giveBack = async () => {
        if (booking) await orPass(bookingQuota.giveBack(booking.id))
      }

      const call = await takeMinute(user, lane)
      if (!call.isGranted) {
        leave(false)
        await giveBack()
        usedUpUntil = Math.max(usedUpUntil, now() + call.waitMs)
        return { throttle: minuteUsedUp(Math.max(1, call.waitMs)) }
      }
      return {
        async end({ answer, wasSent }) {
          const seen = answer && learn(user, answer, isBooking)
          // A stand-in for Calendly may tell no limit at all.
          leave(seen !== undefined || (answer !== undefined && !answer.seen && answer.status < 300))
          // The answer is there, and need not wait for the books.
          void (wasSent ? quota.settle(user, seen) : quota.giveBack(user))
          // A 401 is counted for nobody.
          if (!wasSent || answer?.status === 401) await giveBack()
        }
      }
    },

    /** After a 429: the user rests or, where it was the quota of bookings, only books nothing for a while. */
    async throttled(
      user: string,
      answer: Answer,
      { isBooking }: Purpose,
      error: CalendlyError
    ): Promise<Throttle> {
      const waitMs = answer.retryAfterMs ?? 0
      const limit = limits.get(user)
      if (isBooking && limit !== undefined && answer.seen && answer.seen.limit !== limit) {
        bookingRests.begin(user, waitMs)
        return bookingsUsedUp(waitMs, error)
      }
      const restMs = Math.min(waitMs, longestRestMs)
      rests.begin(user, restMs)
      if (restMs > 0) await quota.rest(user, restMs)
      return { error, waitMs: restMs, isHeld: false }
    },

    isResting: (user: string) => rests.leftMs(user) > 0,
    /** Until when Calendly wants no booking; undefined if that is over. */
    bookingsRestUntil: (user: string) => bookingRests.endOf(user),
    /** Whether a call was refused for want of quota that is not there yet. */
    isUsedUp: () => now() < usedUpUntil
  }
}

export type Governor = ReturnType<typeof createGovernor>

function minuteUsedUp(waitMs: number): Throttle {
  const detail = "Calendly's request quota is used up for now"
  return {
    error: new AppError('calendly_unavailable', detail, {
      cause: new QuotaError(detail),
      retryAfterMs: waitMs
    }),
    waitMs,
    isHeld: true
  }
}

function bookingsUsedUp(waitMs: number, cause?: CalendlyError): Throttle {
  const detail = "Calendly's quota of bookings is used up for now"
  const error = new AppError('booking_quota_exhausted', detail, { cause, retryAfterMs: waitMs })
  return { error, waitMs, isHeld: false }
}

/** Who must not be asked until when. */
function createRests(now: () => number) {
  const ends = new Map<string, number>()
  return {
    begin: (user: string, ms: number) => void ends.set(user, Math.max(ends.get(user) ?? 0, now() + ms)),
    leftMs: (user: string) => Math.max(0, (ends.get(user) ?? 0) - now()),
    endOf(user: string) {
      const end = ends.get(user)
      return end !== undefined && end > now() ? end : undefined
    }
  }
}

/** Goes on without what a store that fails would have said, and says so once until it works again. */
function createFallback(log: Log) {
  let isFailing = false
  return async function orPass<T>(work: Promise<T>): Promise<T | undefined> {
    try {
      const result = await work
      isFailing = false
      return result
    } catch (error) {
      if (!isFailing) log.warn({ err: error }, 'calendly quotas not read, each process counts for itself')
      isFailing = true
      return undefined
    }
  }
}
