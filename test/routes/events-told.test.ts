import { randomUUID } from 'node:crypto'
import t from 'tap'
import { engines } from '../support/database.ts'
import { eventsOf, readLog, type Told } from '../support/events.ts'
import { type Answer, openService, until } from '../support/service.ts'
import { movableSystem } from '../support/system.ts'
import {
  book,
  bookings,
  cancel,
  dayMs,
  eventTypes,
  freeTimes,
  hourMs,
  iso,
  read,
  untilApplied,
  untilStatus,
  untilSubscribed
} from './support/client.ts'
import { hold, readHold } from './support/holds.ts'

const { thirtyMinutes: event_type, workshop } = eventTypes
type Body = Answer['body']

/** What other services are told of, by the entry of the timeline. */
const told: Readonly<Record<string, string>> = {
  recorded: 'booking.confirmed',
  confirmed: 'booking.confirmed',
  rejected: 'booking.rejected',
  canceled: 'booking.canceled',
  rescheduled: 'booking.rescheduled',
  no_show_marked: 'booking.no_show',
  no_show_removed: 'booking.no_show_removed',
  needs_attention: 'booking.needs_attention'
}

/** The events that a timeline stands for: a booking that stands again after all is confirmed once more. */
function eventsFor(timeline: readonly Body[]): string[] {
  const types = timeline.map(({ type }) => type)
  if (types.join() === 'recorded,canceled' && timeline[0].at === timeline[1].at) return ['booking.canceled']
  return types.flatMap((type, index) => {
    const before = types.slice(0, index)
    const isAgain = before.includes('old_time_rebooked') || before.includes('needs_attention')
    return type === 'reschedule_failed' && isAgain ? ['booking.confirmed'] : (told[type] ?? [])
  })
}

for (const engine of engines) {
  t.test(`what other services are told of (${engine})`, async (t) => {
    const system = movableSystem()
    const service = await openService(t, {
      engine,
      system,
      webhooks: true,
      env: {
        BOOKING_LOOKUP_SECONDS: '0.1',
        BOOKING_ABSENCE_SECONDS: '0.2',
        BOOKING_ATTENTION_SECONDS: '0.05'
      }
    })
    const { call, control } = service
    await untilSubscribed(service)
    const mode = (fields: Body = {}) => control('POST', '/webhooks/mode', fields)
    const fault = (path: string, fields: Body) =>
      control('POST', '/faults', { match: { method: 'POST', path }, times: 1, ...fields })
    const person = async (fields: Body = {}) =>
      (await control('POST', '/book', { event_type, ...fields })).invitee.uri as string
    const ofInvitee = (uri: string) =>
      until(
        async () => (await bookings(service)).find(({ calendly }) => calendly.invitee === uri),
        (found) => found !== undefined
      )
    const reschedule = (id: string, body: Body) =>
      call('POST', `/api/v1/bookings/${id}/reschedule`, { idempotencyKey: randomUUID(), body })
    const typesOf = async (id: string) => {
      await untilApplied(service)
      return (await eventsOf(service, id)).map(({ type }) => type)
    }

    t.test(
      'booked, moved and canceled through us, each is told once, with the booking as it is',
      async (t) => {
        await mode({ duplicate: true })
        const { id } = (await book(service)).body
        const [, , to] = await freeTimes(service)
        const moved = await reschedule(id, { start_time: to })
        t.equal(moved.status, 200)
        await untilApplied(service)
        const canceled = await cancel(service, id, { reason: 'Ill' })
        t.same(await typesOf(id), ['booking.confirmed', 'booking.rescheduled', 'booking.canceled'])
        const [, second, third] = await eventsOf(service, id)
        t.same(second?.data.booking.reschedules, moved.body.reschedules)
        t.same(third?.data.booking, canceled.body.booking)
        await mode()
      }
    )

    t.test('on Calendly’s page likewise, in either order and twice', async (t) => {
      for (const order of [{}, { duplicate: true }, { withhold: true, reorder: true }]) {
        const first = await person()
        const { id } = await ofInvitee(first)
        await mode(order)
        const [, , , start_time] = await freeTimes(service)
        const { invitee } = await control('POST', '/reschedule', { invitee: first, start_time })
        await control('POST', '/webhooks/release')
        await until(
          () => read(service, id),
          ({ body }) => body.start_time === start_time
        )
        await mode({ duplicate: true })
        await control('POST', '/cancel', { invitee: invitee.uri })
        await untilStatus(service, id, 'canceled')
        t.same(await typesOf(id), ['booking.confirmed', 'booking.rescheduled', 'booking.canceled'])
        await mode()
      }
    })

    t.test('of what was over before it was heard of only that is told', async (t) => {
      await mode({ withhold: true, reorder: true })
      const invitee = await person()
      await control('POST', '/cancel', { invitee })
      await control('POST', '/webhooks/release')
      const { id } = await ofInvitee(invitee)
      t.same(await typesOf(id), ['booking.canceled'])
      await mode()
    })

    t.test('of a group event that is canceled, of everybody in it', async (t) => {
      const [start_time] = await freeTimes(service, workshop)
      const ours = (await book(service, { event_type: workshop, start_time })).body
      const other = await person({ event_type: workshop, start_time, email: 'other@example.com' })
      const { id } = await ofInvitee(other)
      t.equal((await cancel(service, ours.id, { scope: 'event' })).status, 200)
      for (const one of [ours.id, id]) t.same(await typesOf(one), ['booking.confirmed', 'booking.canceled'])
    })

    t.test('what is refused is told, also where its caller knows', async (t) => {
      await fault('/invitees', {
        kind: 'status',
        status: 403,
        body: { title: 'Permission Denied', message: 'No.' }
      })
      const refused = await book(service)
      t.ok(refused.status >= 400)
      const [rejected] = await bookings(service, 'status=rejected')
      t.same(await typesOf(rejected.id), ['booking.rejected'])
    })

    t.test('what was lost and found is confirmed once', async (t) => {
      await mode({ withhold: true })
      await fault('/invitees', { kind: 'drop_after' })
      const { id } = (await book(service)).body
      await untilStatus(service, id, 'confirmed')
      await mode({ duplicate: true })
      await control('POST', '/webhooks/release')
      t.same(await typesOf(id), ['booking.confirmed'])
      await mode()
    })

    t.test('what needs somebody says so once, and what they decided', async (t) => {
      for (const outcome of ['rejected', 'confirmed']) {
        await mode({ withhold: true })
        await fault('/invitees', { kind: 'status', status: 502, times: 2 })
        const { id, start_time } = (await book(service)).body
        await untilStatus(service, id, 'needs_attention')
        await control('DELETE', '/faults')
        const by = { event_type, start_time, email: 'grace@example.com' }
        const invitee = outcome === 'confirmed' ? { calendly_invitee: await person(by) } : {}
        const path = `/api/v1/bookings/${id}/resolve`
        t.equal((await call('POST', path, { body: { outcome, ...invitee } })).status, 200)
        await call('POST', path, { body: { outcome, ...invitee } })
        await mode({ duplicate: true })
        await control('POST', '/webhooks/release')
        t.same(await typesOf(id), ['booking.needs_attention', `booking.${outcome}`])
      }
      await mode()
    })

    t.test('a reschedule that comes to nothing is no news', async (t) => {
      const { id } = (await book(service)).body
      const [, , start_time] = await freeTimes(service)
      await fault('/scheduled_events/*/cancellation', { kind: 'status', status: 403 })
      t.match(await reschedule(id, { start_time }), { status: 409 })
      t.same(await typesOf(id), ['booking.confirmed'])
    })

    t.test('one that had to book the old time again is: it is another appointment at Calendly', async (t) => {
      const { id, start_time, calendly } = (await book(service)).body
      const to = iso(Date.parse(start_time) + hourMs / 4)
      const details = [{ parameter: 'start_time', code: 'already_filled', message: 'is already filled' }]
      const body = { title: 'Invalid Argument', message: 'The time is already filled.', details }
      await fault('/invitees', { kind: 'status', status: 400, body })
      t.match(await reschedule(id, { start_time: to, cancel_first: true }), { status: 409 })
      t.same(await typesOf(id), ['booking.confirmed', 'booking.confirmed'])
      const [before, after] = await eventsOf(service, id)
      t.equal(before?.data.booking.calendly.invitee, calendly.invitee)
      t.match(after?.data.booking, { status: 'confirmed', start_time, change: null })
      t.not(after?.data.booking.calendly.invitee, calendly.invitee)
    })

    t.test('a hold that is lost, to a fact or by the attempt', async (t) => {
      const one = (await hold(service)).body
      await person({ start_time: one.start_time })
      const other = (await hold(service, { start_time: (await freeTimes(service))[2] })).body
      await control('POST', '/fill', { event_type, start_time: other.start_time })
      await book(service, { start_time: other.start_time, hold_id: other.id })
      for (const { id } of [one, other]) {
        await until(
          () => readHold(service, id),
          ({ body }) => body.status === 'lost'
        )
        const [lost, ...more] = await eventsOf(service, id)
        t.match(lost, { type: 'hold.lost', subject: id, sequence: 1 })
        t.same(lost?.data.hold, (await readHold(service, id)).body)
        t.same(more, [])
      }
    })

    t.test('who did not appear, and who did after all', async (t) => {
      const { id, start_time } = (await book(service)).body
      system.moveTo(Date.parse(start_time) + 20 * dayMs)
      await control('POST', '/clock', { now: iso(system.now()) })
      const path = `/api/v1/bookings/${id}/no-show`
      for (const method of ['POST', 'POST', 'DELETE', 'DELETE'])
        t.equal((await call(method, path)).status, 200)
      t.same(await typesOf(id), ['booking.confirmed', 'booking.no_show', 'booking.no_show_removed'])
      const [, missed] = await eventsOf(service, id)
      t.match(missed?.data.booking, { no_show: true, status: 'completed' })
    })

    t.test(
      'all in all: each entry of a timeline that is news is one event, and there are no others',
      async (t) => {
        await untilApplied(service)
        const { events } = await readLog(service)
        const all = await bookings(service)
        t.ok(all.length > 12)
        for (const { id } of all) {
          const timeline = (await call('GET', `/api/v1/bookings/${id}/timeline`)).body.data
          const own = events.filter(({ subject }) => subject === id)
          const words = timeline.map(({ type }: Body) => type).join(', ')
          t.same(
            own.map(({ type }) => type),
            eventsFor(timeline),
            words
          )
          t.same(
            own.map(({ sequence }) => sequence),
            own.map((_, index) => index + 1),
            'counted from 1 without gaps'
          )
          const versions = own.map(({ data }) => data.booking.version)
          t.same(
            versions,
            versions.toSorted((a, b) => a - b),
            'each with the booking as it then was'
          )
        }
        const known = new Set(all.map(({ id }) => id))
        const others = events.filter(({ subject }: Told) => !known.has(subject)).map(({ type }) => type)
        t.same(new Set(others), new Set(['hold.lost']))
      }
    )
  })
}
