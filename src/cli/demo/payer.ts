import type { Json, Stage } from './stage.ts'

/** Somebody who has paid, as the story goes on about them. */
export type Payer = {
  name: string
  /** At Calendly; another after each move. */
  invitee: string
  booking: Json
}

/** What the service knows of, newest first. */
export const refundsOf = async ({ call }: Stage, { booking }: Payer): Promise<Json[]> =>
  (await call('GET', `/api/v1/refunds?booking_id=${booking.id}`)).body.data

/** What is in Stripe's own books. */
export const refundsAtStripe = async ({ control }: Stage, { booking }: Payer): Promise<Json[]> =>
  (await control('GET', '/stripe/state')).refunds.filter(
    ({ charge }: Json) => charge === booking.payment.charge
  )

/** From minor units. */
export const inDollars = (amount: number) => `$${(amount / 100).toFixed(2)}`
