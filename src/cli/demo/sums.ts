import { inDollars, type Payer, refundsAtStripe, refundsOf } from './payer.ts'
import type { Json, Stage } from './stage.ts'

const sumOf = (refunds: readonly Json[]): number => refunds.reduce((sum, { amount }) => sum + amount, 0)

/** What was refunded here is what Stripe has refunded. Returns the ids of the refunds. */
export async function tellSums(stage: Stage, payers: readonly Payer[]): Promise<string[]> {
  let ids: string[] = []
  await stage.step("Do the sums agree with Stripe's books?", async () => {
    const accounts = await Promise.all(
      payers.map(async (payer) => {
        const here = await refundsOf(stage, payer)
        const { body } = await stage.call('GET', `/api/v1/bookings/${payer.booking.id}`)
        const { amount, refunded_amount: onBooking } = body.payment
        const atStripe = sumOf(await refundsAtStripe(stage, payer))
        return { name: payer.name, here, amount, onBooking, atStripe }
      })
    )
    ids = accounts.flatMap(({ here }) => here.map(({ id }) => id))
    const { ok, invariants } = (await stage.call('GET', '/api/v1/integrity')).body
    const lines = accounts.map(
      ({ name, here, amount, atStripe }) =>
        `${name} ${inDollars(sumOf(here))} of ${inDollars(amount)}, at Stripe ${inDollars(atStripe)}`
    )
    return {
      asked: 'GET /api/v1/refunds, GET /api/v1/bookings/…, GET /api/v1/integrity',
      answered: `${lines.join('; ')}; ${invariants.length} invariants ${ok ? 'hold' : 'were counted'}`,
      held: accounts.every(
        ({ here, onBooking, atStripe }) => sumOf(here) === atStripe && onBooking === atStripe
      )
    }
  })
  return ids
}
