import type { Booking } from './booking.ts'
import type { InviteeLink } from './booking-tables.ts'
import type { EventFact } from './calendly.ts'

/** What we know of one invitee of an event of Calendly's. */
export type KnownSeat = {
  /** URIs. */
  event: string
  uri: string
  state: InviteeLink['state']
  booking: Pick<Booking, 'id' | 'status' | 'startTime' | 'endTime' | 'version' | 'noShow'> & {
    /** URIs: of its hosts, and of the invitee that it has now. */
    hosts: readonly string[]
    invitee: string | undefined
  }
}

/** Whether nothing of the event can have been missed, so that its invitees need not be asked for. */
export function agrees(
  { status, inviteesCounter, ...event }: EventFact,
  seats: readonly KnownSeat[]
): boolean {
  if (seats.length < inviteesCounter.total || seats.length === 0) return false
  if (seats.some(({ state }) => state === 'expected')) return false
  const live = seats.filter(isLive)
  if (status === 'canceled') return live.length === 0
  return (
    live.length === inviteesCounter.active &&
    live.every(({ booking }) => isWhen(event, booking) && isWith(event, booking.hosts))
  )
}

const isLive = ({ uri, state, booking }: KnownSeat) =>
  state === 'active' && booking.status === 'confirmed' && booking.invitee === uri

export const isWhen = (
  event: Pick<EventFact, 'startTime' | 'endTime'>,
  booking: Pick<Booking, 'startTime' | 'endTime'>
) => event.startTime === booking.startTime && event.endTime === booking.endTime

/** Hosts that could not be read are no news. */
export const isWith = ({ hosts }: Pick<EventFact, 'hosts'>, known: readonly string[]) =>
  hosts.length === 0 || (hosts.length === known.length && hosts.every(({ user }) => known.includes(user)))
