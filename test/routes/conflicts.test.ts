import t from 'tap'
import { standard } from '../../src/sandbox/standard.ts'
import { openService } from '../support/service.ts'
import { asked, book, eventTypes, iso } from './support/client.ts'
import { check, configure, untouchedDays } from './support/conflicts.ts'
import { hold, release } from './support/holds.ts'

const minuteMs = 60_000
const { ada } = standard.users
const after = (start: string, minutes: number) =>
  iso(Date.parse(start) + minutes * minuteMs).replace('.000', '')

const service = await openService(t)
const { call, control } = service
const takeDay = await untouchedDays(service)

/** Kind, start and end of each conflict. */
const conflictsAt = async (start_time: string, fields: Record<string, unknown> = {}) => {
  const { body } = await check(service, { start_time, ...fields })
  return body.conflicts.map((conflict: Record<string, unknown>) => [
    conflict.kind,
    conflict.start_time,
    conflict.end_time
  ])
}

t.test('a time that Calendly offers and nobody has is available, and asking takes nothing', async (t) => {
  const [start = ''] = takeDay()
  for (const _ of [1, 2]) {
    const { status, body } = await check(service, { start_time: start })
    t.equal(status, 200)
    t.strictSame(body, { available: true, conflicts: [], alternatives: [] })
  }
  t.equal((await book(service, { start_time: start })).status, 201)
})

t.test('a booking or a hold is in the way as long as it lasts, and not a minute longer', async (t) => {
  const [start = '', next = '', third = ''] = takeDay()
  const { body: booked } = await book(service, { start_time: next })
  const taken = { kind: 'booking', start_time: next, end_time: third, booking_id: booked.id }
  t.match((await check(service, { start_time: next })).body, { available: false, conflicts: [taken] })
  t.same(await conflictsAt(start), [], 'back to back before it')
  t.same(await conflictsAt(third), [], 'and after it')

  const { body: held } = await hold(service, { start_time: third })
  const { body } = await check(service, { start_time: third })
  t.strictSame(body.conflicts, [{ kind: 'hold', start_time: third, end_time: held.end_time }])
  await release(service, held.id)
  t.match((await check(service, { start_time: third })).body, { available: true })
})

t.test('so are buffers, a notice and a full day, each with its range', async (t) => {
  const [start = '', next = '', third = ''] = takeDay()
  await book(service, { start_time: start })
  await configure(service, { buffer_before_minutes: 15, buffer_after_minutes: 5 })
  t.same(await conflictsAt(next), [['buffer', after(start, -5), after(next, 15)]])
  t.same(await conflictsAt(third), [])

  await configure(service, { max_per_day: 1 })
  const [full] = await conflictsAt(third)
  t.match(full, ['max_per_day', /T2[23]:00:00Z$/, /T2[23]:00:00Z$/], 'of the owner’s day, in Berlin')
  t.ok(full[1] < third && third < full[2])

  const before = Date.now()
  await configure(service, { minimum_notice_minutes: 60 * 24 * 100 })
  const [notice] = await conflictsAt(third)
  t.equal(notice[0], 'minimum_notice')
  t.ok(Date.parse(notice[1]) >= before && Date.parse(notice[1]) <= Date.now(), 'from now')
  t.equal(Date.parse(notice[2]) - Date.parse(notice[1]), 100 * 24 * 60 * minuteMs)
  await configure(service)
})

t.test(
  'what stands in the host’s calendar is in the way, and our own booking there is told once',
  async (t) => {
    const [start = '', next = '', third = ''] = takeDay()
    await control('POST', '/busy', { user: ada, start_time: after(start, 10), end_time: after(start, 20) })
    t.same(await conflictsAt(start), [['calendar', after(start, 10), after(start, 20)]])
    await book(service, { start_time: third })
    t.same(await conflictsAt(third), [['booking', third, after(third, 30)]])
    t.same(await conflictsAt(next), [])
  }
)

t.test(
  'a time that Calendly does not offer, and nothing says why, is outside of its availability',
  async (t) => {
    const [start = ''] = takeDay()
    const night = `${start.slice(0, 10)}T02:00:00Z`
    t.same(await conflictsAt(night), [['outside_availability', night, after(night, 30)]])
    t.same(await conflictsAt(after(start, 7)), [['outside_availability', after(start, 7), after(start, 37)]])
  }
)

t.test('a booking that is to make room is not in the way', async (t) => {
  const [start = '', next = ''] = takeDay()
  const { body: booked } = await book(service, { start_time: start })
  await configure(service, { buffer_before_minutes: 30, max_per_day: 1 })
  t.match((await check(service, { start_time: next })).body, { available: false })
  const wanted = { start_time: next, exclude_booking_id: booked.id }
  t.strictSame((await check(service, wanted)).body, { available: true, conflicts: [], alternatives: [] })
  await configure(service)
  t.match(await check(service, { ...wanted, exclude_booking_id: 'bkg_01k00000000000000000000000' }), {
    status: 404,
    body: { code: 'booking_not_found' }
  })
})

t.test('seats of a session are in the way once all are taken', async (t) => {
  const start_time = takeDay().find((start) => start.endsWith(':00:00Z')) ?? ''
  const session = { event_type: eventTypes.workshop, start_time }
  for (let seat = 1; seat <= 5; seat++) {
    t.match((await check(service, session)).body, { available: true }, `seat ${seat}`)
    const invitee = { name: 'Ada', email: `seat-${seat}@example.com`, timezone: 'UTC' }
    t.equal((await book(service, { ...session, invitee })).status, 201)
  }
  const { body } = await check(service, session)
  t.equal(body.available, false)
  t.same(
    body.conflicts.map(({ kind }: { kind: string }) => kind),
    Array.from({ length: 5 }, () => 'booking')
  )
})

t.test('of a pool any free host will do, of a panel nobody may be missing', async (t) => {
  const start_time = takeDay().find((start) => start.endsWith('T14:30:00Z')) ?? ''
  for (const event_type of [eventTypes.teamCall, eventTypes.panel]) {
    t.match((await check(service, { start_time, event_type })).body, { available: true }, event_type)
  }
  const { body: booked } = await book(service, { start_time })
  t.match((await check(service, { start_time, event_type: eventTypes.teamCall })).body, { available: true })
  t.match((await check(service, { start_time, event_type: eventTypes.panel })).body, {
    available: false,
    conflicts: [{ kind: 'booking', booking_id: booked.id }]
  })
})

t.test('alternatives are searched in the event types that are named, too', async (t) => {
  const [start = '', next = ''] = takeDay()
  await book(service, { start_time: start })
  const consultation = eventTypes.consultation.split('/').at(-1)
  const named = [eventTypes.introCall, consultation, eventTypes.thirtyMinutes]
  const { body } = await check(service, { start_time: start, alternative_event_types: named })
  const types = new Set(body.alternatives.map(({ event_type }: { event_type: string }) => event_type))
  t.ok(types.has(eventTypes.thirtyMinutes) && types.size > 1, [...types].join())
  const isSameHost = (type: string) =>
    body.alternatives
      .find(({ event_type }: { event_type: string }) => event_type === type)
      ?.reasons.includes('same_host') ?? false
  t.ok(isSameHost(eventTypes.thirtyMinutes))
  t.notOk(isSameHost(eventTypes.introCall), 'somebody else hosts it')
  t.match(body.alternatives[0], { start_time: next })
})

t.test('local times are the owner’s where no zone is named', async (t) => {
  const [start = ''] = takeDay()
  await book(service, { start_time: start })
  const localIn = async (fields: Record<string, unknown>) =>
    (await check(service, { start_time: start, ...fields })).body.alternatives[0].local_start_time
  t.match(await localIn({ timezone: undefined }), /\+0[12]:00$/)
  t.match(await localIn({ timezone: 'Asia/Kathmandu' }), /\+05:45$/)
})

t.test('many who ask at once cost Calendly a few calls', async (t) => {
  const day = takeDay()
  const reads = async () => (await asked(service, 'GET', /available_times|busy_times/)).length
  const before = await reads()
  // So slow that all of them have asked before the first is answered.
  await control('POST', '/faults', {
    kind: 'latency',
    latency_ms: 1_000,
    match: { path: '/event_type_available_times' }
  })
  const answers = await Promise.all(
    day.flatMap((start_time) => [0, 1].map(() => check(service, { start_time })))
  )
  t.ok(answers.every(({ body }) => body.available))
  await control('DELETE', '/faults')
  t.ok((await reads()) - before <= 3, `${day.length * 2} checks`)
})

t.test('what cannot be understood is refused, and Calendly is not asked', async (t) => {
  const { length } = await asked(service, 'GET', /available_times|busy_times/)
  const start_time = '2030-01-07T10:00:00Z'
  const refused: [Record<string, unknown>, number, string][] = [
    [{ start_time: '2020-01-07T10:00:00Z' }, 400, 'start_time_in_past'],
    [{ start_time: '2030-01-07T10:00:00' }, 400, 'local_time'],
    [{ start_time, timezone: 'Mars/Olympus' }, 400, 'unknown_timezone'],
    [{ start_time, timezone: 'PST' }, 400, 'ambiguous_timezone'],
    [{ start_time, colour: 'red' }, 400, 'validation_failed'],
    [{ start_time, hold_first: 'yes' }, 400, 'validation_failed'],
    [{}, 400, 'validation_failed'],
    [{ start_time, event_type: 'NOSUCHTYPE234567' }, 404, 'event_type_not_found'],
    [{ start_time, alternative_event_types: ['NOSUCHTYPE234567'] }, 404, 'event_type_not_found'],
    [
      { start_time, alternative_event_types: Array.from({ length: 21 }, (_, n) => `TYPE${n}`) },
      400,
      'too_many_event_types'
    ]
  ]
  for (const [fields, status, code] of refused) {
    t.match(await check(service, fields), { status, body: { code } }, JSON.stringify(fields).slice(0, 80))
  }
  t.equal((await asked(service, 'GET', /available_times|busy_times/)).length, length)
})

t.test('without Calendly what is taken is known all the same, what is free is not', async (t) => {
  const [start = '', next = ''] = takeDay()
  const { body: booked } = await book(service, { start_time: start })
  await check(service, { start_time: next })
  await control('POST', '/faults', { kind: 'drop_before' })
  t.match(await check(service, { start_time: start }), {
    status: 200,
    body: { available: false, conflicts: [{ booking_id: booked.id }], alternatives: [] }
  })
  t.match(await check(service, { start_time: next }), { status: 503, body: { code: 'calendly_unavailable' } })
  await control('DELETE', '/faults')
})

t.test('a check needs availability:read, and with a hold bookings:write as well', async (t) => {
  const keyWith = async (...scopes: string[]) =>
    (await call('POST', '/api/v1/caller-keys', { body: { name: 'checker', scopes } })).body.key
  const start_time = '2030-01-07T10:00:00Z'
  const reader = await keyWith('availability:read')
  t.equal((await check(service, { start_time: '2020-01-07T10:00:00Z' }, { key: reader })).status, 400)
  t.match(await check(service, { start_time, hold_first: true }, { key: reader }), {
    status: 403,
    body: { code: 'insufficient_scope', detail: /bookings:write/ }
  })
  t.equal((await check(service, { start_time }, { key: await keyWith('bookings:write') })).status, 403)
})
