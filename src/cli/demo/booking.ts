import type { Json, Stage } from './stage.ts'
import { freeDays, wishOf, zone } from './wishes.ts'

/** From free times to a booking that cannot double. Returns Grace's booking. */
export async function tellBooking(stage: Stage): Promise<Json> {
  const { step, call, run } = stage
  let slot: Json
  await step(`Which times are free in the next two months, seen from ${zone}?`, async () => {
    const { status, days } = await freeDays(stage)
    const slots = days.flatMap((day) => day.slots)
    slot = days[2].slots[1]
    return {
      asked: `GET /api/v1/availability?…&timezone=${zone}`,
      answered: `${status} ${slots.length} times on ${days.length} days; we take ${slot.local_start_time}`,
      held: status === 200 && slots.length > 100
    }
  })

  const book = (name: string, key: string) =>
    call('POST', '/api/v1/bookings', wishOf(stage, name, slot.start_time), key)
  let booking: Json
  await step('Grace books it.', async () => {
    const { status, body } = await book('Grace Example', 'grace')
    booking = body
    return {
      asked: 'POST /api/v1/bookings, with an Idempotency-Key',
      answered: `${status} ${body.id} ${body.status}, meet at ${body.join_url}`,
      held: status === 201 && body.status === 'confirmed'
    }
  })

  await step('Her answer is lost on the way; her service sends the same request again.', async () => {
    const { status, headers, body } = await book('Grace Example', 'grace')
    return {
      asked: 'POST /api/v1/bookings, with the same Idempotency-Key',
      answered: `${status} ${body.id}, Idempotent-Replayed: ${headers.get('idempotent-replayed')}`,
      held: status === 201 && body.id === booking.id
    }
  })

  await step('Ten others want the same time at the same moment.', async () => {
    const replies = await Promise.all(Array.from({ length: 10 }, (_, i) => book(`Rival ${i}`, `rival-${i}`)))
    const refused = replies.filter(({ status }) => status === 409)
    const alternatives = refused[0]?.body.alternatives ?? []
    return {
      asked: 'POST /api/v1/bookings ×10, each with its own Idempotency-Key',
      answered: `${refused.length}× 409 slot_unavailable; still free nearby: ${alternatives
        .slice(0, 3)
        .map((each: Json) => each.local_start_time)
        .join(', ')}`,
      held: refused.length === 10 && alternatives.length > 0
    }
  })

  await step("Calendly's signed webhook about Grace's booking comes back.", async () => {
    const arrived = await stage.eventually(
      () => stage.deliveries('invitee.created'),
      (found) => found.length > 0
    )
    const { body } = await call('GET', '/api/v1/bookings?limit=10')
    const mine = body.data.filter(({ invitee }: Json) => invitee.email.endsWith(`+${run}@example.com`))
    return {
      asked: 'POST /api/webhooks/calendly, by Calendly: invitee.created',
      answered: `${arrived[0]?.attempts.at(-1)?.status} kept and recognised: still ${mine.length} booking of this story`,
      held: arrived.length === 1 && mine.length === 1
    }
  })
  return booking
}
