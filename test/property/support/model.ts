export type Kind = 'meeting' | 'group'

/** What is Ada's in the model; `meeting` is one-on-one. Starts every quarter of an hour. */
export const kinds: Readonly<Record<Kind, { minutes: number; seats: number }>> = {
  meeting: { minutes: 30, seats: 1 },
  group: { minutes: 45, seats: 2 }
}
export const quarterMs = 900_000
const minuteMs = 60_000

export type Settings = { bufferBeforeMinutes: number; bufferAfterMinutes: number; maxPerDay: number | null }

/** `slot` counts quarters of an hour from the day's first start. */
type Time = { kind: Kind; slot: number }

export type ModelHold = Time & { id: string; status: 'active' | 'used' | 'released' | 'expired' | 'lost' }

export type ModelBooking = Time & {
  id: string
  email: string
  isLive: boolean
  /** Calendly's word, which takes what it finds: not all of its time with the buffers need be kept free. */
  isFact: boolean
}

export type Model = {
  settings: Settings
  holds: ModelHold[]
  bookings: ModelBooking[]
  /** For keys and e-mail addresses. */
  count: number
}

/** In minutes since the day's first start. Half-open. */
type Range = { from: number; to: number }

const appointment = ({ kind, slot }: Time): Range => ({
  from: slot * 15,
  to: slot * 15 + kinds[kind].minutes
})

function busy(time: Time, { bufferBeforeMinutes, bufferAfterMinutes }: Settings): Range {
  const { from, to } = appointment(time)
  return { from: from - bufferBeforeMinutes, to: to + bufferAfterMinutes }
}

export const meet = (one: Range, other: Range) => one.from < other.to && other.from < one.to

export const overlap = (one: Time, other: Time) => meet(appointment(one), appointment(other))

const shareSession = (one: Time, other: Time) => one.kind === 'group' && isSameTime(one, other)

export const isSameTime = (one: Time, other: Time) => one.kind === other.kind && one.slot === other.slot

export const startOf = (firstStart: number, { slot }: Time) => firstStart + slot * 15 * minuteMs

const liveBookings = ({ bookings }: Model) => bookings.filter(({ isLive }) => isLive)
export const activeHolds = ({ holds }: Model) => holds.filter(({ status }) => status === 'active')

/** Who has time of ours, but for those of the ids. */
const owners = (model: Model, except: readonly string[]) =>
  [...liveBookings(model), ...activeHolds(model)].filter(({ id }) => !except.includes(id))

/**
 * Whether somebody of ours gets that time: yes, no, or either, where it depends on how much of its buffers a fact
 * could get. `except` are those who make way for it.
 */
export function mayTake(model: Model, wanted: Time, except: readonly string[] = []): 'yes' | 'no' | 'either' {
  const { settings } = model
  const others = owners(model, except)
  const sameKind = others.filter(({ kind }) => kind === wanted.kind)
  if (settings.maxPerDay !== null && sameKind.length >= settings.maxPerDay) return 'no'
  const session = others.filter((other) => isSameTime(other, wanted))
  if (wanted.kind === 'group' && session.length >= kinds.group.seats) return 'no'
  const near = others.filter(
    (other) => !shareSession(other, wanted) && meet(busy(other, settings), busy(wanted, settings))
  )
  if (near.length === 0) return 'yes'
  const isCertain = near.some((other) => !('isFact' in other && other.isFact) || overlap(other, wanted))
  return isCertain ? 'no' : 'either'
}

/** Whether Calendly's page offers that time: it knows of bookings, not of holds, buffers or days. */
export function pageOffers(model: Model, wanted: Time, leaving?: ModelBooking): boolean {
  const others = liveBookings(model).filter(({ id }) => id !== leaving?.id)
  const session = others.filter((other) => isSameTime(other, wanted))
  if (session.length >= kinds[wanted.kind].seats) return false
  return !others.some((other) => !shareSession(other, wanted) && overlap(other, wanted))
}

/** The holds that a fact surely ends, and those that it may: it is its buffers that meet theirs. */
export function heldInTheWay(model: Model, fact: ModelBooking): { lost: ModelHold[]; perhaps: ModelHold[] } {
  const active = activeHolds(model)
  const session = owners(model, []).filter((other) => isSameTime(other, fact))
  const surplus = fact.kind === 'group' ? Math.max(0, session.length - kinds.group.seats) : 0
  const seated = active.filter((hold) => shareSession(hold, fact))
  const newest = surplus > 0 ? seated.slice(-surplus) : []
  const others = active.filter((hold) => !shareSession(hold, fact))
  return {
    lost: [...newest, ...others.filter((hold) => overlap(hold, fact))],
    perhaps: others.filter(
      (hold) => !overlap(hold, fact) && meet(busy(hold, model.settings), busy(fact, model.settings))
    )
  }
}

/** Others in the same event at Calendly. */
export const isShared = (model: Model, booking: ModelBooking) =>
  liveBookings(model).some((other) => other.id !== booking.id && shareSession(other, booking))
