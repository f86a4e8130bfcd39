import { tellBooking } from './booking.ts'
import { tellChange } from './change.ts'
import { tellDoubt } from './doubt.ts'
import { type Listener, openListener } from './listener.ts'
import { tellMoney } from './money.ts'
import { tellOpening } from './opening.ts'
import { openStage, type Place, type Stage } from './stage.ts'

/** The way of bookings and of money through the service, told as it happens. Returns what the narrator counted. */
export async function tellStory(place: Place) {
  const stage = openStage(place)
  const shop = await openListener()
  const endpointId = await tellOpening(stage, shop)
  const booking = await tellBooking(stage)
  await tellDoubt(stage)
  await tellChange(stage, booking)
  const refunds = await tellMoney(stage)
  await tellEvents(stage, shop, { endpointId, bookingId: booking.id, refunds })
  shop.close()
  await tellEnd(stage)
  const { violations } = await stage.control('GET', '/violations')
  return { ...stage.summary(), violations: violations.length as number }
}

type Subjects = { endpointId: string; bookingId: string; refunds: readonly string[] }

const tellEvents = ({ step, eventually, call }: Stage, shop: Listener, subjects: Subjects) =>
  step('What was the shop told, each event signed with its secret?', async () => {
    const { endpointId, bookingId, refunds } = subjects
    const ofBooking = () => shop.of(bookingId).map(({ type, sequence }) => `${sequence} ${type}`)
    const ofRefunds = () => refunds.map((id) => shop.of(id).map(({ type }) => type))
    const expected = '1 booking.confirmed,2 booking.rescheduled,3 booking.canceled'
    const isAllTold = () =>
      ofBooking().join() === expected && ofRefunds().every((types) => types.join() === 'refund.succeeded')
    await eventually(async () => isAllTold(), Boolean)
    const { status } = await call('DELETE', `/api/v1/event-endpoints/${endpointId}`)
    return {
      asked: 'POST by the service, whatever happens; at last DELETE /api/v1/event-endpoints/…',
      answered: `of Grace's booking ${ofBooking().join(' → ')}; of each of ${refunds.length} refunds one refund.succeeded; ${status}`,
      held: isAllTold() && refunds.length > 0
    }
  })

const tellEnd = ({ step, call }: Stage) =>
  step('And how are Calendly and Stripe doing?', async () => {
    const { status, body } = await call('GET', '/api/health/calendly')
    const { stripe } = (await call('GET', '/api/health')).body
    return {
      asked: 'GET /api/health/calendly, GET /api/health',
      answered:
        `${status} ${body.status}, last webhook at ${body.last_webhook_at}, inbox lag ${body.inbox_lag_seconds} s; ` +
        `Stripe ${stripe.status}, by a ${stripe.key} key, last webhook at ${stripe.last_webhook_at}`,
      held: body.status === 'ok' && body.last_webhook_at !== null && stripe.status === 'ok'
    }
  })
