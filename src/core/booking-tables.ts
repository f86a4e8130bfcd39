import type { Booking } from './booking.ts'
import type { NewsTables } from './events.ts'
import type { Hold, HoldStatus } from './hold.ts'
import type { IdempotencyTables } from './idempotency.ts'
import type { PaymentTaskTables } from './payment-task.ts'
import type { PolicyTables } from './refund-policy.ts'
import type { Buffers, EventTypeSettings } from './settings.ts'

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
  /** Of the appointment itself. */
  startTime: number
  endTime: number
  /** Claimed on top of it. */
  buffers?: Buffers | undefined
  /** Of a hold, from the database's now. */
  expiresInMs?: number | undefined
}

/** `startTime` and `endTime` are the appointment's, `busyFrom` and `busyTo` what is claimed with the buffers. */
export type Claim = {
  ownerId: string
  session: string
  host: string
  startTime: number
  endTime: number
  busyFrom: number
  busyTo: number
}

/** The times are the appointment's. `isPool`: any host of a pool would do. */
export type ClaimInTheWay = { ownerId: string; isPool: boolean; startTime: number; endTime: number }

/** A single-use link of Calendly's that carries our tracking. */
export type SchedulingLink = {
  id: string
  tenantId: string
  eventType: string
  sessionId?: string | undefined
  bookingUrl: string
  createdAt: number
}

export type InviteeLink = {
  uri: string
  bookingId: string
  /** `expected`: named as the successor of another, not yet seen itself. */
  state: 'expected' | 'active' | 'moved' | 'canceled'
}

/** What booking needs of the database, inside one transaction. */
export type BookingTables = IdempotencyTables &
  NewsTables &
  PolicyTables &
  PaymentTaskTables & {
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
      /** Rejects with a transaction conflict where it belongs to another booking. */
      put: (tenantId: string, link: InviteeLink) => Promise<void>
      /** Gives all invitees of one booking to another. */
      reassign: (tenantId: string, from: string, to: string) => Promise<void>
    }
    claims: {
      /** The hosts taken, or `undefined` when one that was needed is not free. Last statement before commit. */
      take: (claim: ClaimRequest) => Promise<string[] | undefined>
      /** For facts: takes what is still free of the range. False when something of it was not. */
      takeFree: (claim: Omit<ClaimRequest, 'mode'>) => Promise<boolean>
      /** Gives back what it claims, or what it claims for the appointment at `startTime`. The hosts it had. */
      release: (tenantId: string, ownerId: string, startTime?: number) => Promise<readonly string[]>
      /** Live claims of other sessions that touch the range, one for each owner and appointment. */
      inTheWay: (claim: Omit<ClaimRequest, 'mode'>) => Promise<ClaimInTheWay[]>
      /** What the owner claims for the appointment at `startTime`. */
      own: (
        tenantId: string,
        ownerId: string,
        startTime: number
      ) => Promise<{ host: string; isPool: boolean }[]>
      /** Of a pool's claim: Calendly has named the host that it lies on. False when it has just been moved. */
      settle: (tenantId: string, ownerId: string, startTime: number) => Promise<boolean>
      /** Moves a pool's claim to a free host of the pool outside of `hosts`; it is given up where there is none: false. */
      moveAway: (
        tenantId: string,
        claim: Pick<ClaimInTheWay, 'ownerId' | 'startTime'>,
        hosts: readonly string[]
      ) => Promise<boolean>
      /** From here to its end one transaction of the tenant at a time: those that push others' claims aside. */
      queue: (tenantId: string) => Promise<void>
      /** Owners of a session's live claims, oldest first. `isLeaving`: a booking whose cancellation is under way. */
      ownersOf: (
        tenantId: string,
        session: string
      ) => Promise<{ ownerId: string; isHold: boolean; isLeaving: boolean }[]>
    }
    sessions: {
      /**
       * Locks the session's row and tells its seats. Where there is none yet it is made with `limit` seats, or with
       * `remaining` besides those of confirmed bookings; that many it has at least.
       */
      lock: (session: {
        tenantId: string
        session: string
        limit: number | undefined
        remaining: number | undefined
        endsAt: number
      }) => Promise<number>
      /** What Calendly's counter says. False, and nothing locked, where that was known. */
      put: (session: { tenantId: string; session: string; seats: number; endsAt: number }) => Promise<boolean>
      /** Locks the row; undefined where there is none. */
      lockKnown: (tenantId: string, session: string) => Promise<number | undefined>
    }
    days: {
      /** Locks the day and counts its live bookings and holds of the event type, but those of `except`. */
      lockAndCount: (day: {
        tenantId: string
        eventType: string
        startsAt: number
        endsAt: number
        except: readonly string[]
      }) => Promise<number>
    }
    settings: {
      /** The defaults where none were set. */
      get: (tenantId: string, eventType: string) => Promise<EventTypeSettings>
      put: (tenantId: string, eventType: string, settings: EventTypeSettings, at: number) => Promise<void>
    }
    holds: {
      insert: (hold: Hold, ttlMs: number) => Promise<void>
      /** Locks the row; `isExpired` and `leftMs` by the database's clock. */
      lock: (
        tenantId: string,
        id: string
      ) => Promise<(Hold & { isExpired: boolean; leftMs: number }) | undefined>
      setStatus: (
        hold: Pick<Hold, 'tenantId' | 'id'>,
        status: HoldStatus,
        at: number,
        bookingId?: string
      ) => Promise<void>
    }
    links: {
      find: (tenantId: string, id: string) => Promise<{ sessionId?: string | undefined } | undefined>
      insert: (link: SchedulingLink) => Promise<void>
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
  /** Starts of an event type's live bookings and holds in the range, ascending. */
  startsBetween: (
    tenantId: string,
    eventType: string,
    startTime: number,
    endTime: number
  ) => Promise<number[]>
  /** Bookings of a group event type, starting in the range, that an answer of Calendly's as of then cannot count. */
  uncountedBetween: (
    tenantId: string,
    eventType: string,
    startTime: number,
    endTime: number,
    asOf: number
  ) => Promise<string[]>
  /** Of a group session, once Calendly's event has told. */
  findSeats: (tenantId: string, session: string) => Promise<number | undefined>
  settingsOf: (tenantId: string, eventType: string) => Promise<EventTypeSettings>
  allSettings: (tenantId: string) => Promise<ReadonlyMap<string, EventTypeSettings>>
  /** With `status` as it is now: `expired` once its time is over by the database's clock. */
  findHold: (tenantId: string, id: string) => Promise<Hold | undefined>
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
