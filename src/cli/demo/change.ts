import type { Json, Stage } from './stage.ts'
import { freeDays } from './wishes.ts'

/** A booking moves, ends, and has a story of its own. */
export async function tellChange(stage: Stage, booking: Json): Promise<void> {
  const { step, call, eventually, deliveries } = stage
  let slot: Json
  await step('Grace would rather come a day later.', async () => {
    const { days } = await freeDays(stage)
    slot = days[4].slots[0]
    const wish = { start_time: slot.start_time }
    const { status, body } = await call('POST', `/api/v1/bookings/${booking.id}/reschedule`, wish, 'move')
    return {
      asked: `POST /api/v1/bookings/${booking.id}/reschedule`,
      answered: `${status} the same booking, now at ${body.start_time}`,
      held: status === 200 && body.id === booking.id && body.start_time === slot.start_time
    }
  })

  await step('Grace cancels.', async () => {
    const request = { canceler_type: 'invitee', reason: 'Something came up' }
    const { status, body } = await call('POST', `/api/v1/bookings/${booking.id}/cancel`, request, 'cancel')
    const { canceler_type, canceled_by } = body.booking.cancellation ?? {}
    return {
      asked: `POST /api/v1/bookings/${booking.id}/cancel`,
      answered: `${status} ${body.booking.status} by the ${canceler_type}, ${canceled_by}`,
      held: status === 200 && body.booking.status === 'canceled'
    }
  })

  await step('Is her time free again?', async () => {
    const { status, days } = await freeDays(stage, '&fresh=true')
    const isFree = days.some((day) =>
      day.slots.some(({ start_time }: Json) => start_time === slot.start_time)
    )
    return {
      asked: 'GET /api/v1/availability?…&fresh=true',
      answered: `${status} ${isFree ? 'yes' : 'no'}`,
      held: isFree
    }
  })

  await step('What happened to her booking, in order?', async () => {
    await eventually(
      () => deliveries('invitee.canceled'),
      (found) => found.length > 0
    )
    const { status, body } = await call('GET', `/api/v1/bookings/${booking.id}/timeline`)
    const types = body.data.map(({ type }: Json) => type)
    return {
      asked: `GET /api/v1/bookings/${booking.id}/timeline`,
      answered: `${status} ${types.join(' → ')}`,
      held: types[0] === 'requested' && types.at(-1) === 'canceled'
    }
  })
}
