import { sql } from 'kysely'
import t from 'tap'
import { formatInstant } from '../../src/core/instants.ts'
import { engines, inDatabase } from '../support/database.ts'
import { openService, type Service, until } from '../support/service.ts'
import { webhookBody } from '../support/webhook.ts'
import {
  asked,
  book,
  bookings,
  dayMs,
  deliver,
  eventTypes,
  freeTimes,
  hourMs,
  read,
  timelineOf,
  untilSubscribed,
  withheld
} from './support/client.ts'

t.setTimeout(600_000)

/** The facts of one booking: created A, canceled A since it was moved to B, created B, canceled B. */
type Story = {
  origin: Origin
  id?: string
  from: string
  to: string
  last: string
  bodies: readonly string[]
}
const origins = ['page', 'page, unknown at Calendly', 'page, unknown at Calendly', 'api'] as const
type Origin = (typeof origins)[number]

const invitees = (name: string) => `https://api.calendly.com/scheduled_events/${name}/invitees/${name}`

/** Somebody of whom Calendly knows nothing when it is asked: what came before cannot be read. */
function unreadableStory(origin: Origin, index: number): Story {
  const [a, b] = [`A${index}`, `B${index}`]
  const startTime = Math.ceil(Date.now() / hourMs) * hourMs + 60 * dayMs + index * 4 * hourMs
  const moved = { startTime: startTime + 2 * hourMs }
  const old = { old_invitee: invitees(a) }
  const cancellation = { canceled_by: 'Zoë Example', canceler_type: 'invitee' }
  return {
    origin,
    from: formatInstant(startTime),
    to: formatInstant(moved.startTime),
    last: invitees(b),
    bodies: [
      webhookBody({ id: a, startTime }),
      webhookBody({
        id: a,
        startTime,
        event: 'invitee.canceled',
        payload: { rescheduled: true, new_invitee: invitees(b) }
      }),
      webhookBody({ id: b, ...moved, payload: old }),
      webhookBody({ id: b, ...moved, event: 'invitee.canceled', payload: { ...old, cancellation } })
    ]
  }
}

async function storyOf(
  service: Service,
  origin: Origin,
  index: number,
  [from, to]: [string, string]
): Promise<Story> {
  if (origin === 'page, unknown at Calendly') return unreadableStory(origin, index)
  const { control } = service
  const known = new Set(await withheld(service))
  const event_type = eventTypes.thirtyMinutes
  const made = origin === 'api' ? (await book(service, { start_time: from })).body : undefined
  const first = made
    ? made.calendly.invitee
    : (await control('POST', '/book', { event_type, start_time: from })).invitee.uri
  const last = (await control('POST', '/reschedule', { invitee: first, start_time: to })).invitee.uri
  await control('POST', '/cancel', { invitee: last })
  const bodies = (await withheld(service)).filter((body) => !known.has(body))
  const isOf = (body: string, event: string, uri: string) => {
    const message = JSON.parse(body)
    return message.event === event && message.payload.uri === uri
  }
  const told = [first, last].flatMap((uri) => [
    bodies.find((body) => isOf(body, 'invitee.created', uri)) ?? '',
    bodies.find((body) => isOf(body, 'invitee.canceled', uri)) ?? ''
  ])
  return { origin, id: made?.id, from, to, last, bodies: told }
}

function ordersOf<T>(left: readonly T[]): T[][] {
  if (left.length === 0) return [[]]
  return left.flatMap((one) => ordersOf(left.filter((other) => other !== one)).map((rest) => [one, ...rest]))
}

/** One more of each kind: the same bytes again, and the same fact by another subscription, somewhere behind the first. */
function withCopies(bodies: readonly string[], index: number): string[] {
  const told = [...bodies]
  for (const [nth, body] of bodies.entries()) {
    if ((index + nth) % 2 === 0) continue
    const copy = nth < 2 ? body : body.replace('"created_by":"', '"created_by":"https://other')
    const first = told.indexOf(body)
    told.splice(first + 1 + ((index * 7 + nth) % (told.length - first)), 0, copy)
  }
  return told
}

async function untilDone({ call }: Service): Promise<void> {
  await until(
    () => call('GET', '/api/health'),
    ({ body }) => body.queues.inbox.waiting === 0
  )
}

for (const engine of engines) {
  t.test(`a hundred bookings, each moved and canceled, told in every order (${engine})`, async (t) => {
    const service = await openService(t, { engine, webhooks: true })
    await untilSubscribed(service)
    await service.control('POST', '/webhooks/mode', { withhold: true })
    const times = await freeTimes(service)
    const stories: Story[] = []
    for (let index = 0; index < 100; index++) {
      const origin = origins[index % 4] ?? 'page'
      const [from = '', to = ''] = [times[index], times[index + 100]]
      stories.push(await storyOf(service, origin, index, [from, to]))
    }
    const orders = ordersOf([0, 1, 2, 3])
    const tellings = stories.map(({ bodies }, index) => {
      const order = orders[Math.floor(index / 4) % orders.length] ?? []
      return withCopies(
        order.map((nth) => bodies[nth] ?? ''),
        index
      )
    })
    for (let round = 0; tellings.some((telling) => telling.length > round); round++) {
      const told = tellings.flatMap((telling) => telling[round] ?? [])
      const answers = await Promise.all(told.map((body) => deliver(service, body)))
      t.ok(
        answers.every(({ status }) => status === 204),
        `round ${round} is accepted`
      )
      await untilDone(service)
    }

    const found = await bookings(service)
    t.equal(found.length, stories.length, 'one booking each')
    const ids = new Map<string, string>()
    for (const { last, from, to, id, origin } of stories) {
      const booking = found.find(({ calendly }) => calendly.invitee === last)
      ids.set(last, booking?.id)
      const words = `${origin} ${last}`
      t.match(
        booking,
        {
          status: 'canceled',
          source: origin === 'api' ? 'api' : 'webhook',
          start_time: to,
          change: null,
          merged_into: null,
          reschedules: { length: 1, 0: { from, to } },
          cancellation: { canceler_type: 'invitee' }
        },
        words
      )
      if (id !== undefined) t.equal(booking?.id, id, 'and it keeps its id')
      const timeline = await timelineOf(service, booking?.id)
      for (const type of ['rescheduled', 'canceled'])
        t.equal(timeline.filter((entry) => entry === type).length, 1, `${words}: ${timeline}`)
    }
    t.match((await service.call('GET', '/api/health')).body.queues.inbox, { waiting: 0, dead: 0 })
    const reads = await asked(service, 'GET', /\/invitees\//)
    const ours = stories.filter(({ origin }) => origin === 'api')
    const isOfOurs = (path: string) => ours.some(({ bodies: [first = ''] }) => first.includes(path))
    t.notOk(
      reads.some(({ path }) => isOfOurs(path)),
      'nothing is asked of whom we know'
    )
    t.match(await read(service, String(ids.get(stories[3]?.last ?? ''))), { status: 200 })

    await service.app.close()
    const events = await inDatabase(service.database, async (db) => {
      const { rows } = await sql<{ subject: string; types: string; sequences: string }>`
        select subject, string_agg(type, ' ' order by type) as types,
          string_agg(sequence::text, ' ' order by sequence) as sequences
        from events group by subject`.execute(db)
      return rows
    })
    for (const [index, { last, origin, bodies }] of stories.entries()) {
      // Its end was heard of first, and what came before could not be read.
      const isOver = origin === 'page, unknown at Calendly' && tellings[index]?.[0] === bodies[3]
      t.same(
        events.find(({ subject }) => subject === ids.get(last)),
        {
          subject: ids.get(last),
          types: `booking.canceled ${isOver ? '' : 'booking.confirmed '}booking.rescheduled`,
          sequences: isOver ? '1 2' : '1 2 3'
        },
        `${origin} ${last}`
      )
    }
  })
}
