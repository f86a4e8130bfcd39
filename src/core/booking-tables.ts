import type { Booking } from './booking.ts'
import type { IdempotencyTables } from './idempotency.ts'

export type TimelineEntry = { at: number; type: string; detail: Readonly<Record<string, unknown>> }

/** A claim on hosts' time, half-open: back to back is no conflict. */
export type ClaimRequest = {
  tenantId: string
  ownerId: string
  /** Claims of one session may overlap: the seats of a group event. One-on-one: the owner. */
  session: string
  hosts: readonly string[]
  /** Every host (one-on-one, collective) or any free one of the pool (round robin). */
  mode: 'all' | 'any'
  startTime: number
  endTime: number
}

export type Claim = { ownerId: string; session: string; host: string; startTime: number; endTime: number }

export type InviteeLink = {
  uri: string
  bookingId: string
  /** `expected`: named as the successor of another, not yet seen itself. */
  state: 'expected' | 'active' | 'moved' | 'canceled'
}

/** What booking needs of the database, inside one transaction. */
export type BookingTables = IdempotencyTables & {
  bookings: {
    /** `resolveInMs`: when the resolver may look at it, from the database's now; kept where none is given. */
    insert: (booking: Booking, resolveInMs?: number) => Promise<void>
    update: (booking: Booking, resolveInMs?: number) => Promise<void>
    /** Locks the row until the transaction ends. */
    lock: (tenantId: string, id: string) => Promise<Booking | undefined>
    /** Every booking of one Calendly event, locked, oldest first. */
    lockByEvent: (tenantId: string, event: string) => Promise<Booking[]>
    /** Takes one booking that is due for resolution and leases it for `leaseMs`. */
    takeUnresolved: (leaseMs: number) => Promise<Booking | undefined>
  }
  timeline: { add: (booking: Pick<Booking, 'tenantId' | 'id'>, entry: TimelineEntry) => Promise<void> }
  invitees: {
    find: (tenantId: string, uris: readonly string[]) => Promise<InviteeLink[]>
    put: (tenantId: string, link: InviteeLink) => Promise<void>
  }
  claims: {
    /** The hosts taken, or `undefined` when one that was needed is not free. Last statement before commit. */
    take: (claim: ClaimRequest) => Promise<string[] | undefined>
    /** For facts: takes what is still free of the range. False when something of it was not. */
    takeFree: (claim: Omit<ClaimRequest, 'mode'>) => Promise<boolean>
    release: (tenantId: string, ownerId: string) => Promise<void>
  }
}

export type Transact = <T>(work: (tables: BookingTables) => Promise<T>) => Promise<T>

/** What booking reads outside a transaction. */
export type BookingReads = {
  find: (tenantId: string, id: string) => Promise<Booking | undefined>
  list: (tenantId: string, filter: BookingFilter) => Promise<Booking[]>
  timeline: (tenantId: string, id: string) => Promise<TimelineEntry[]>
  claimsBetween: (
    tenantId: string,
    hosts: readonly string[],
    startTime: number,
    endTime: number
  ) => Promise<Claim[]>
}

export type BookingFilter = {
  status?:
    | 'pending'
    | 'unknown'
    | 'confirmed'
    | 'canceled'
    | 'rejected'
    | 'needs_attention'
    | 'completed'
    | undefined
  eventType?: string | undefined
  host?: string | undefined
  inviteeEmail?: string | undefined
  startTimeFrom?: number | undefined
  startTimeTo?: number | undefined
  /** Ids below this one only: the list is newest first. */
  before?: string | undefined
  limit: number
  /** The moment that divides confirmed from completed. */
  now: number
}
