import type { AuditTables } from './audit.ts'
import type { BookingTables } from './booking-tables.ts'
import type { Charge } from './charge.ts'
import type { ChargeFact } from './payments.ts'
import type { Refund, RefundStatus } from './refund.ts'

/** `captured` is the counter account: all accounts of a charge sum to zero. */
export type Account = 'captured' | 'refundable' | 'reserved' | 'refunded' | 'elsewhere'

/** Moves `amount` (above zero) from one account of a charge to another, as one ledger transaction of two entries. */
export type Posting = {
  tenantId: string
  charge: string
  refundId?: string | undefined
  from: Account
  to: Account
  amount: number
  currency: string
  at: number
}

/** What refunds need of the database, inside one transaction. Locks are taken in this order: booking, charge, refund. */
export type RefundTables = BookingTables &
  AuditTables & {
    refunds: {
      /** `resolveInMs`: when it may be taken further, from the database's now. */
      insert: (refund: Refund, resolveInMs?: number) => Promise<void>
      /** Without `resolveInMs` nothing is left to do for it. Throws where it was changed without its lock. */
      update: (refund: Refund, resolveInMs?: number) => Promise<void>
      lock: (tenantId: string, id: string) => Promise<Refund | undefined>
      /** Of one charge, locked, oldest first. */
      lockByCharge: (tenantId: string, charge: string) => Promise<Refund[]>
      /** Takes one that is due and leases it for `leaseMs`. */
      takeDue: (leaseMs: number) => Promise<Refund | undefined>
      /** Whether the booking has one that nobody asked for. */
      hasAutomatic: (tenantId: string, bookingId: string) => Promise<boolean>
      /** Gives those of one booking to another that it turned out to be a part of. */
      reassign: (tenantId: string, from: string, to: string) => Promise<void>
    }
    charges: {
      /** Made, or brought up to date (`captured`, `refunded`, `dispute`, `lookedAt`); never the counters. Locks it. */
      put: (
        tenantId: string,
        bookingId: string,
        fact: ChargeFact,
        at: { lookedAt: number; now: number }
      ) => Promise<{ charge: Charge; isNew: boolean; before?: Charge | undefined }>
      lock: (tenantId: string, id: string) => Promise<Charge | undefined>
      /** Takes `amount` if that much is left and no dispute stands in the way, in one conditional update. */
      reserve: (tenantId: string, id: string, amount: number) => Promise<boolean>
      release: (tenantId: string, id: string, amount: number) => Promise<void>
      /** Adds to what was refunded in Stripe itself; below zero where one came to nothing. */
      addElsewhere: (tenantId: string, id: string, amount: number) => Promise<void>
      /** When it is to be read again, in milliseconds from the database's now; undefined: not of itself. */
      schedule: (tenantId: string, id: string, inMs: number | undefined, looks: number) => Promise<void>
    }
    ledger: { post: (posting: Posting) => Promise<void> }
  }

export type TransactRefunds = <T>(work: (tables: RefundTables) => Promise<T>) => Promise<T>

export type RefundFilter = {
  bookingId?: string | undefined
  status?: RefundStatus | undefined
  /** Ids below this one only: the list is newest first. */
  before?: string | undefined
  limit: number
}

/** What refunds read outside a transaction. */
export type RefundReads = {
  find: (tenantId: string, id: string) => Promise<Refund | undefined>
  list: (tenantId: string, filter: RefundFilter) => Promise<Refund[]>
  findCharge: (tenantId: string, id: string) => Promise<Charge | undefined>
  /** Takes charges that are due to be read, leasing them for `leaseMs`; at most `limit`. */
  takeCharges: (leaseMs: number, limit: number) => Promise<Pick<Charge, 'tenantId' | 'id'>[]>
  /** Due now. False where we know no such charge. */
  hint: (tenantId: string, charge: string) => Promise<boolean>
}
