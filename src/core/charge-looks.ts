import type { Booking } from './booking.ts'
import type { Charge } from './charge.ts'
import { applyLook, type LookChange } from './charge-look-results.ts'
import { AppError } from './errors.ts'
import type { Payments } from './payments.ts'
import type { Refund } from './refund.ts'
import type { RefundReads, RefundTables, TransactRefunds } from './refund-tables.ts'
import type { System } from './system.ts'

/** A charge before Stripe was asked for it: who paid with it, and what nobody may have changed meanwhile. */
export type SeenCharge = Pick<Charge, 'lookedAt'> & {
  /** The charge's, then those of its refunds. */
  bookingIds: readonly string[]
  versions: Readonly<Record<Refund['id'], Refund['version']>>
}

export type LookReads = Pick<RefundReads, 'takeCharges'> & {
  seen: (tenantId: string, charge: string) => Promise<SeenCharge | undefined>
}

export type LookOutcome = 'changed' | 'unchanged' | 'overtaken' | 'unknown'

export type Look = { outcome: LookOutcome; changes: readonly LookChange[] }

type Deps = {
  system: Pick<System, 'now' | 'id'>
  transact: TransactRefunds
  reads: LookReads
  payments: Pick<Payments, 'isConfigured' | 'findCharge' | 'listRefunds'>
  log: { warn: (fields: object, phrase: string) => void; error: (fields: object, phrase: string) => void }
}

/** Also how soon one is tried again that Stripe could not be asked for. */
const leaseMs = 60_000
const [overtakenMs, unknownMs] = [1_000, 86_400_000]

/**
 * Brings what we know of charges forward to what Stripe says: whatever tells that something may have changed only makes
 * a charge due, and one look at Stripe does the rest.
 */
export function createChargeLooks({ system, transact, reads, payments, log }: Deps) {
  const counts = { changed: 0, unchanged: 0, overtaken: 0, unknown: 0, failed: 0 }

  return {
    look,

    isOfUse: payments.isConfigured,

    /** Looks at a charge that is due. False where there is none, or where Stripe cannot be asked. */
    async lookNext(): Promise<boolean> {
      const [due] = await reads.takeCharges(leaseMs, 1)
      if (!due) return false
      try {
        await look(due.tenantId, due.id)
        return true
      } catch (error) {
        if (error instanceof AppError && error.code === 'stripe_unavailable') return false
        throw error
      }
    },

    /** How the looks of this process went. */
    counts: (): Readonly<typeof counts> => counts
  }

  /** Throws `stripe_unavailable`. What it finds is written by `write`, which may add to the transaction. */
  async function look(
    tenantId: string,
    id: string,
    write: <T extends Look>(work: (tables: RefundTables) => Promise<T>) => Promise<T> = transact
  ): Promise<Look> {
    const done = await readAndWrite(tenantId, id, write).catch((error: unknown) => {
      counts.failed++
      throw error
    })
    counts[done.outcome]++
    return done
  }

  async function readAndWrite(
    tenantId: string,
    id: string,
    write: <T extends Look>(work: (tables: RefundTables) => Promise<T>) => Promise<T>
  ): Promise<Look> {
    const seen = await reads.seen(tenantId, id)
    if (!seen) return { outcome: 'unknown', changes: [] }
    const lookedAt = system.now()
    const fact = await payments.findCharge(id)
    const listed = fact ? await payments.listRefunds(id) : []
    const found = listed.filter((one) => one.id !== fact?.release)
    if (!fact) log.warn({ charge: id }, 'Stripe does not show a charge')
    return write(async (tables) => {
      const bookings = await lockAll(tables, tenantId, seen.bookingIds)
      const charge = await tables.charges.lock(tenantId, id)
      const ours = await tables.refunds.lockByCharge(tenantId, id)
      if (!charge || !bookings || !isAsSeen(seen, charge, ours)) {
        // Stripe may have answered before that was done: applied, its answer would undo it.
        await tables.charges.schedule(tenantId, id, overtakenMs, charge?.looks ?? 0)
        return { outcome: 'overtaken', changes: [] }
      }
      if (!fact) {
        await tables.charges.schedule(tenantId, id, unknownMs, charge.looks + 1)
        return { outcome: 'unknown', changes: [] }
      }
      const stripe = { fact, refunds: found, lookedAt }
      const now = system.now()
      const changes = await applyLook(tables, { bookings, charge, ours, stripe, system, now, log })
      return { outcome: changes.length > 0 ? 'changed' : 'unchanged', changes }
    })
  }
}

export type ChargeLooks = ReturnType<typeof createChargeLooks>

/** Those that are no part of another, the one that the charge is of first. */
async function lockAll({ bookings }: RefundTables, tenantId: string, ids: readonly string[]) {
  const locked = new Map<string, Booking>()
  // Sorted, so that two of them do not wait for each other.
  for (const first of ids.toSorted()) {
    let id: string | undefined = first
    while (id !== undefined && !locked.has(id)) {
      const booking: Booking | undefined = await bookings.lock(tenantId, id)
      if (booking) locked.set(id, booking)
      id = booking?.mergedInto
    }
  }
  let owner = locked.get(ids[0] ?? '')
  while (owner?.mergedInto !== undefined) owner = locked.get(owner.mergedInto)
  const others = [...locked.values()].filter(
    (booking) => booking !== owner && booking.mergedInto === undefined
  )
  return owner && { owner, others }
}

function isAsSeen({ lookedAt, versions }: SeenCharge, charge: Charge, ours: readonly Refund[]): boolean {
  return (
    charge.lookedAt === lookedAt &&
    ours.length === Object.keys(versions).length &&
    ours.every(({ id, version }) => versions[id] === version)
  )
}
