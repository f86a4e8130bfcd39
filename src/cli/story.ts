import { setTimeout as pause } from 'node:timers/promises'
import { createNarrator } from './narrator.ts'

const dayMs = 86_400_000
const zone = 'America/New_York'

type Place = {
  /** Of the service. */
  address: string
  adminKey: string
  sandboxUrl: string
  eventType: string
  write: (line: string) => void
  now: () => number
  /** Sets this run's idempotency keys and e-mail addresses apart from an earlier run's on the same database. */
  run: string
}

type Reply = { status: number; headers: Headers; body: Json }
// biome-ignore lint/suspicious/noExplicitAny: the story reads answers as a script would
type Json = any

/** The way of a booking through the service, told as it happens. Returns what the narrator counted. */
export async function tellStory({ address, adminKey, sandboxUrl, eventType, write, now, run }: Place) {
  async function ask(method: string, url: string, body?: unknown, headers = {}): Promise<Reply> {
    const answer = await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${adminKey}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers
      },
      ...(body !== undefined && { body: JSON.stringify(body) })
    })
    const text = await answer.text()
    return {
      status: answer.status,
      headers: answer.headers,
      body: text === '' ? undefined : JSON.parse(text)
    }
  }
  const call = (method: string, path: string, body?: unknown, key?: string) =>
    ask(method, `${address}${path}`, body, key === undefined ? {} : { 'idempotency-key': `${run}-${key}` })
  const control = async (method: string, path: string, body?: unknown): Promise<Json> =>
    (await ask(method, `${sandboxUrl}/__sandbox${path}`, body)).body
  const { step, summary } = createNarrator(
    write,
    async () => (await control('GET', '/requests')).requests,
    now
  )

  /** Asks again until it is so; gives up after ten seconds. */
  async function eventually<T>(look: () => Promise<T>, isSo: (seen: T) => boolean): Promise<T> {
    for (const deadline = now() + 10_000; ; await pause(25)) {
      const seen = await look()
      if (isSo(seen) || now() > deadline) return seen
    }
  }
  const deliveries = async (event: string): Promise<Json[]> =>
    (await control('GET', '/deliveries')).deliveries.filter(
      (delivery: Json) => delivery.event === event && delivery.state === 'delivered'
    )

  await step("Is the service there, and are Calendly's webhooks on their way to it?", async () => {
    const { status, body } = await call('GET', '/api/health')
    const { webhook_subscriptions: hooks } = await eventually(
      () => control('GET', '/state'),
      (state) => state.webhook_subscriptions.length > 0
    )
    return {
      asked: 'GET /api/health',
      answered: `${status} ${body.status}, database ${body.database.engine}, ${hooks.length} webhook subscription to ${hooks[0]?.callback_url}`,
      held: status === 200 && body.status === 'ok' && hooks.length === 1
    }
  })

  await step('What can be booked?', async () => {
    const { status, body } = await call('GET', '/api/v1/event-types')
    const names = body.data.map(({ name, duration }: Json) => `${name} (${duration} min)`)
    return {
      asked: 'GET /api/v1/event-types',
      answered: `${status} ${names.join(', ')}`,
      held: status === 200 && names.length > 0
    }
  })

  const range = new URLSearchParams({
    event_type: eventType,
    start_time: new Date(now()).toISOString(),
    end_time: new Date(now() + 60 * dayMs).toISOString(),
    timezone: zone
  })
  let slot: Json
  await step(`Which times are free in the next two months, seen from ${zone}?`, async () => {
    const { status, body } = await call('GET', `/api/v1/availability?${range}`)
    const slots = body.days.flatMap((day: Json) => day.slots)
    slot = body.days[2].slots[1]
    return {
      asked: `GET /api/v1/availability?…&timezone=${zone}`,
      answered: `${status} ${slots.length} times on ${body.days.length} days; we take ${slot.local_start_time}`,
      held: status === 200 && slots.length > 100
    }
  })

  const wanted = (name: string) => ({
    event_type: eventType,
    start_time: slot.start_time,
    invitee: { name, email: `${name.toLowerCase().split(' ')[0]}+${run}@example.com`, timezone: zone },
    location: { kind: 'google_conference' },
    metadata: { order: '4711' }
  })
  let booking: Json
  await step('Grace books it.', async () => {
    const { status, body } = await call('POST', '/api/v1/bookings', wanted('Grace Example'), 'grace')
    booking = body
    return {
      asked: 'POST /api/v1/bookings, with an Idempotency-Key',
      answered: `${status} ${body.id} ${body.status}, meet at ${body.join_url}`,
      held: status === 201 && body.status === 'confirmed'
    }
  })

  await step('Her answer is lost on the way; her service sends the same request again.', async () => {
    const { status, headers, body } = await call('POST', '/api/v1/bookings', wanted('Grace Example'), 'grace')
    return {
      asked: 'POST /api/v1/bookings, with the same Idempotency-Key',
      answered: `${status} ${body.id}, Idempotent-Replayed: ${headers.get('idempotent-replayed')}`,
      held: status === 201 && body.id === booking.id
    }
  })

  await step('Ten others want the same time at the same moment.', async () => {
    const replies = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        call('POST', '/api/v1/bookings', wanted(`Rival ${i}`), `rival-${i}`)
      )
    )
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
    const arrived = await eventually(
      () => deliveries('invitee.created'),
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

  await step("Somebody books on Calendly's own page, past this service.", async () => {
    const email = `walk-in+${run}@example.com`
    await control('POST', '/book', { event_type: eventType, name: 'Walter Walk-in', email })
    const { body } = await eventually(
      () => call('GET', `/api/v1/bookings?invitee_email=${encodeURIComponent(email)}`),
      (reply) => reply.body.data.length > 0
    )
    const [found] = body.data
    return {
      asked: 'GET /api/v1/bookings?invitee_email=walk-in…',
      answered: `${found?.id} ${found?.status}, source ${found?.source}`,
      held: found?.source === 'webhook' && found?.status === 'confirmed'
    }
  })

  let hold: Json
  await step('Ida needs a minute to decide: her time is held for her.', async () => {
    const free = await call('GET', `/api/v1/availability?${range}`)
    const wish = {
      event_type: eventType,
      start_time: free.body.days[3].slots[2].start_time,
      ttl_seconds: 120
    }
    const { status, body } = await call('POST', '/api/v1/holds', wish)
    hold = body
    return {
      asked: 'POST /api/v1/holds',
      answered: `${status} ${body.id} ${body.status} until ${body.expires_at}`,
      held: status === 201 && body.status === 'active'
    }
  })

  const wantedByIda = (holdId?: string) => ({
    ...wanted('Ida Example'),
    start_time: hold.start_time,
    ...(holdId !== undefined && { hold_id: holdId })
  })
  await step('Somebody else tries to book it meanwhile.', async () => {
    const { status, body } = await call('POST', '/api/v1/bookings', wantedByIda(), 'rival-of-ida')
    const kinds = body.conflicts.map(({ kind }: Json) => kind)
    return {
      asked: 'POST /api/v1/bookings',
      answered: `${status} ${body.code}, in the way: ${kinds.join(', ')}`,
      held: status === 409 && kinds.includes('hold')
    }
  })

  await step('Ida has decided.', async () => {
    const { status, body } = await call('POST', '/api/v1/bookings', wantedByIda(hold.id), 'ida')
    return {
      asked: 'POST /api/v1/bookings, with hold_id',
      answered: `${status} ${body.id} ${body.status}`,
      held: status === 201 && body.status === 'confirmed'
    }
  })

  await step("Olga books, and Calendly's answer is lost on the way.", async () => {
    const free = await call('GET', `/api/v1/availability?${range}`)
    const lost = { kind: 'drop_after', times: 1, match: { method: 'POST', path: '/invitees' } }
    await control('POST', '/faults', lost)
    const wish = { ...wanted('Olga Example'), start_time: free.body.days[5].slots[3].start_time }
    const first = await call('POST', '/api/v1/bookings', wish, 'olga')
    const { body } = await eventually(
      () => call('GET', `/api/v1/bookings/${first.body.id}`),
      (reply) => reply.body.status === 'confirmed'
    )
    const state = await control('GET', '/state')
    const seats = state.scheduled_events.flatMap((event: Json) => event.invitees)
    const hers = seats.filter(({ email }: Json) => email === wish.invitee.email)
    return {
      asked: 'POST /api/v1/bookings, then GET the booking until it is settled',
      answered: `${first.status} ${first.body.status}, found out: ${body.status}; at Calendly ${hers.length} booking of hers`,
      held: body.status === 'confirmed' && hers.length === 1
    }
  })

  await step('Grace would rather come a day later.', async () => {
    const free = await call('GET', `/api/v1/availability?${range}`)
    const later = { start_time: free.body.days[4].slots[0].start_time }
    const { status, body } = await call('POST', `/api/v1/bookings/${booking.id}/reschedule`, later, 'move')
    slot = later
    return {
      asked: `POST /api/v1/bookings/${booking.id}/reschedule`,
      answered: `${status} the same booking, now at ${body.start_time}`,
      held: status === 200 && body.id === booking.id && body.start_time === later.start_time
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
    const { status, body } = await call('GET', `/api/v1/availability?${range}&fresh=true`)
    const isFree = body.days.some((day: Json) =>
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

  await step('And how is Calendly doing?', async () => {
    const { status, body } = await call('GET', '/api/health/calendly')
    return {
      asked: 'GET /api/health/calendly',
      answered: `${status} ${body.status}, last webhook at ${body.last_webhook_at}, inbox lag ${body.inbox_lag_seconds} s`,
      held: body.status === 'ok' && body.last_webhook_at !== null
    }
  })

  const { violations } = await control('GET', '/violations')
  return { ...summary(), violations: violations.length as number }
}
