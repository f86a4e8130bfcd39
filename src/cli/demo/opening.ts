import type { Listener } from './listener.ts'
import type { Json, Stage } from './stage.ts'

/** Everybody finds everybody else. Returns the id of the shop's event endpoint. */
export async function tellOpening({ call, control, eventually, step }: Stage, shop: Listener) {
  await step("Is the service there, and are Calendly's webhooks on their way to it?", async () => {
    const { status, body } = await call('GET', '/api/health')
    const { webhook_subscriptions: hooks } = await eventually(
      () => control('GET', '/state'),
      (state) => state.webhook_subscriptions.length > 0
    )
    // A start compares with Stripe: what that asks is no part of later steps.
    await eventually(
      () => call('GET', '/api/v1/reconciliations?limit=2'),
      ({ body: { data } }) => data.some(({ kind, finished_at }: Json) => kind === 'stripe' && finished_at)
    )
    return {
      asked: 'GET /api/health',
      answered: `${status} ${body.status}, database ${body.database.engine}, ${hooks.length} webhook subscription to ${hooks[0]?.callback_url}`,
      held: status === 200 && body.status === 'ok' && hooks.length === 1
    }
  })

  await step('What can be booked?', async () => {
    const { status, body } = await call('GET', '/api/v1/event-types')
    const names = body.data.map(
      ({ name, duration }: { name: string; duration: number }) => `${name} (${duration} min)`
    )
    return {
      asked: 'GET /api/v1/event-types',
      answered: `${status} ${names.join(', ')}`,
      held: status === 200 && names.length > 0
    }
  })

  let endpointId = ''
  await step('The shop wants to be told of what becomes of bookings and of money.', async () => {
    const types = ['booking.confirmed', 'booking.rescheduled', 'booking.canceled', 'refund.succeeded']
    const { status, body } = await call('POST', '/api/v1/event-endpoints', { url: shop.url, types })
    endpointId = body.id
    shop.trust(body.secret)
    const test = await call('POST', `/api/v1/event-endpoints/${body.id}/test`)
    return {
      asked: 'POST /api/v1/event-endpoints, then POST …/test',
      answered: `${status} ${body.id}; a signed test event arrived: ${test.body.delivered}`,
      held: status === 201 && test.body.delivered
    }
  })
  return endpointId
}
