import type { ChargeFact } from './payments.ts'

/** A charge as it was last read, and what is taken of it: `reserved` by refunds of ours, `elsewhere` in Stripe itself. */
export type Charge = Omit<ChargeFact, 'isPaid' | 'isPending' | 'release'> & {
  tenantId: string
  /** The first booking that it paid for. */
  bookingId: string
  reserved: number
  elsewhere: number
  /** When Stripe's answer was asked for. */
  lookedAt: number
  /** Looks in a row that changed nothing. */
  looks: number
}

/** What is left of it for refunds of ours; never below zero. */
export function leftOf({
  captured,
  reserved,
  elsewhere
}: Pick<Charge, 'captured' | 'reserved' | 'elsewhere'>) {
  return Math.max(0, captured - reserved - elsewhere)
}
