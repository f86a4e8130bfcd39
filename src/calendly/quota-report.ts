import { type Forecast, forecast } from './forecast.ts'
import type { BookingLimit, BookingQuota, MinuteQuota, UserMinute } from './quota.ts'

/** What is left to a Calendly user: of the minute, and of each window of bookings. */
export type UserQuota = UserMinute & { bookings: readonly Forecast[] }

type Deps = {
  quota: Pick<MinuteQuota, 'list'>
  bookingQuota: Pick<BookingQuota, 'sentWithin'>
  bookingLimits: readonly BookingLimit[]
  /** Whose keys there are, whether they have called yet or not. */
  users: readonly string[]
  /** Until when Calendly itself wants no booking of a user. */
  bookingsRestUntil: (user: string) => number | undefined
  now: number
}

export async function reportQuotas({
  quota,
  bookingQuota,
  bookingLimits,
  users,
  bookingsRestUntil,
  now
}: Deps): Promise<UserQuota[]> {
  const minutes = new Map((await quota.list()).map((minute) => [minute.user, minute]))
  const longestMs = Math.max(0, ...bookingLimits.map(({ windowMs }) => windowMs))
  const all = [...new Set([...users, ...minutes.keys()])]
  return Promise.all(
    all.map(async (user) => {
      const uses = longestMs > 0 ? await bookingQuota.sentWithin(user, longestMs) : []
      const restUntil = bookingsRestUntil(user) ?? 0
      const bookings = forecast(uses, bookingLimits, now).map((window) =>
        restUntil > (window.nextFreeAt ?? 0)
          ? { ...window, nextFreeAt: restUntil, runsOutAt: undefined }
          : window
      )
      return { ...minutes.get(user), user, bookings }
    })
  )
}
