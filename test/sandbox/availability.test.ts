import t from 'tap'
import type { Rule } from '../../src/sandbox/seed.ts'
import { standard, standardSeed } from '../../src/sandbox/standard.ts'
import { as, type Client, meeting, query, start, uuidOf } from './support/client.ts'

const { thirtyMinutes, consultation, workshop } = standard.eventTypes

type Times = { collection: { start_time: string; invitees_remaining: number; scheduling_url: string }[] }

async function times({ get }: Client, event_type: string, start_time: string, end_time: string) {
  const { body } = await get<Times>(
    `/event_type_available_times?${query({ event_type, start_time, end_time })}`
  )
  return body.collection
}

const onMonday = (client: Client, eventType: string) =>
  times(client, eventType, '2026-11-23T00:00:00Z', '2026-11-24T00:00:00Z')

const clockTimes = (found: Times['collection']) => found.map(({ start_time }) => start_time.slice(11, 16))

t.test('a day holds the times that fit the working hours of its host, in the form of Calendly', async (t) => {
  const client = await start(t)
  const found = await onMonday(client, thirtyMinutes)
  t.equal(found.length, 16)
  t.strictSame(found[0], {
    status: 'available',
    invitees_remaining: 1,
    start_time: '2026-11-23T08:00:00Z',
    scheduling_url: 'https://calendly.com/ada-berger/30min/2026-11-23T08:00:00Z?month=2026-11&date=2026-11-23'
  })
  t.strictSame(clockTimes(found).at(-1), '15:30')
  t.strictSame(await times(client, thirtyMinutes, '2026-11-21T00:00:00Z', '2026-11-23T00:00:00Z'), [])
})

t.test('working hours stay put on the clock on the wall when summer time begins', async (t) => {
  const client = await start(t)
  const first = async (day: string) =>
    (await times(client, thirtyMinutes, `${day}T00:00:00Z`, `${day}T23:00:00Z`))[0]?.start_time
  t.equal(await first('2027-03-26'), '2027-03-26T08:00:00Z')
  t.equal(await first('2027-03-29'), '2027-03-29T07:00:00Z')
})

t.test('a range must lie in the future, run forward, and span 31 days at most', async (t) => {
  const { get } = await start(t)
  const ask = (start_time: string, end_time: string) =>
    get(`/event_type_available_times?${query({ event_type: thirtyMinutes, start_time, end_time })}`)
  const refusal = (parameter: string, message: string) => ({
    status: 400,
    body: {
      title: 'Invalid Argument',
      message: 'The supplied parameters are invalid.',
      details: [{ parameter, message }]
    }
  })
  t.match(
    await ask('2026-11-20T12:00:00Z', '2026-11-21T00:00:00Z'),
    refusal('start_time', 'start_time must be in the future'),
    'now is not the future'
  )
  t.match(
    await ask('2026-11-24T00:00:00Z', '2026-11-24T00:00:00Z'),
    refusal('start_time', 'start_time must be before end_time')
  )
  t.match(await ask('2026-11-21T00:00:00Z', '2026-12-22T00:00:00Z'), { status: 200 })
  t.match(await ask('2026-11-21T00:00:00Z', '2026-12-22T00:00:01Z'), {
    status: 400,
    body: { details: [{ parameter: 'end_time' }] }
  })
  t.match(await get('/event_type_available_times'), {
    status: 400,
    body: {
      details: [
        { parameter: 'event_type', message: 'is missing' },
        { parameter: 'start_time', message: 'is missing' },
        { parameter: 'end_time', message: 'is missing' }
      ]
    }
  })
})

t.test('a booking takes its time from every event type of the host, buffers included', async (t) => {
  const client = await start(t)
  await client.post('/invitees', meeting('2026-11-23T10:00:00Z'))
  const meetings = clockTimes(await onMonday(client, thirtyMinutes))
  t.notOk(meetings.includes('10:00'))
  t.ok(meetings.includes('09:30') && meetings.includes('10:30'), 'a type without buffers fits beside it')

  const consultations = clockTimes(await onMonday(client, consultation))
  t.strictSame(
    consultations.slice(0, 6),
    ['08:00', '08:30', '09:00', '11:00', '11:30', '12:00'],
    'ten minutes before and fifteen after stay free'
  )
})

t.test('minimum notice moves with the clock', async (t) => {
  const client = await start(t)
  await client.control('/clock', { now: '2026-11-23T07:30:00Z' })
  t.equal(
    clockTimes(await times(client, consultation, '2026-11-23T07:31:00Z', '2026-11-24T00:00:00Z'))[0],
    '09:30'
  )
  await client.control('/clock', { advance_seconds: 3600 })
  t.equal(
    clockTimes(await times(client, consultation, '2026-11-23T08:31:00Z', '2026-11-24T00:00:00Z'))[0],
    '10:30'
  )
})

t.test('a group session counts its seats down and is gone when it is full', async (t) => {
  const client = await start(t)
  const seats = async () => (await onMonday(client, workshop))[0]?.invitees_remaining
  const book = () => client.control('/book', { event_type: workshop, start_time: '2026-11-23T08:00:00Z' })
  t.equal(await seats(), 5)
  for (const left of [4, 3, 2, 1]) {
    await book()
    t.equal(await seats(), left)
  }
  await book()
  t.equal(clockTimes(await onMonday(client, workshop))[0], '09:00')
})

t.test('external calendars and filled slots are not offered', async (t) => {
  const client = await start(t)
  await client.control('/busy', {
    user: standard.users.ada,
    start_time: '2026-11-23T08:15:00Z',
    end_time: '2026-11-23T09:00:00Z'
  })
  await client.control('/fill', { event_type: thirtyMinutes, start_time: '2026-11-23T09:30:00Z' })
  t.strictSame(clockTimes(await onMonday(client, thirtyMinutes)).slice(0, 2), ['09:00', '10:00'])
})

t.test('a rule for a date replaces the one for its weekday', async (t) => {
  const rules: Rule[] = [
    { type: 'wday', wday: 'monday', intervals: [{ from: '09:00', to: '17:00' }] },
    { type: 'date', date: '2026-11-23', intervals: [{ from: '10:00', to: '11:00' }] }
  ]
  const users = standardSeed.users.map((user) => (user.slug === 'ada-berger' ? { ...user, rules } : user))
  const client = await start(t, { seed: { ...standardSeed, users } })
  t.strictSame(clockTimes(await onMonday(client, thirtyMinutes)), ['09:00', '09:30'])
  const [weekLater] = await times(client, thirtyMinutes, '2026-11-30T00:00:00Z', '2026-12-01T00:00:00Z')
  t.equal(weekLater?.start_time, '2026-11-30T08:00:00Z')
})

t.test('busy times show meetings with their buffers and other calendars without', async (t) => {
  const client = await start(t)
  await client.control('/book', { event_type: consultation, start_time: '2026-11-23T10:00:00Z' })
  await client.control('/busy', {
    user: standard.users.ada,
    start_time: '2026-11-23T08:00:00Z',
    end_time: '2026-11-23T09:00:00Z'
  })
  const ask = (user: string, end_time: string) =>
    client.get(`/user_busy_times?${query({ user, start_time: '2026-11-23T00:00:00Z', end_time })}`)
  const { body } = await ask(standard.users.ada, '2026-11-30T00:00:00Z')
  t.match(body, {
    collection: [
      { type: 'external', start_time: '2026-11-23T08:00:00.000000Z' },
      {
        type: 'calendly',
        start_time: '2026-11-23T10:00:00.000000Z',
        end_time: '2026-11-23T10:30:00.000000Z',
        buffered_start_time: '2026-11-23T09:50:00.000000Z',
        buffered_end_time: '2026-11-23T10:45:00.000000Z',
        event: { uri: /scheduled_events/ }
      }
    ]
  })
  t.match(await ask(standard.users.ada, '2026-11-30T00:00:01Z'), { status: 400 }, 'seven days at most')
  t.match(await ask(standard.users.mei, '2026-11-24T00:00:00Z'), {
    status: 403,
    body: { message: 'This user is not in your organization' }
  })
})

t.test('schedules tell the same hours for a user and for an event type', async (t) => {
  const { get } = await start(t)
  const monday = { type: 'wday', wday: 'monday', intervals: [{ from: '09:00', to: '17:00' }] }
  const list = await get<{ collection: { uri: string }[] }>(
    `/user_availability_schedules?user=${standard.users.ada}`
  )
  t.match(list.body.collection[0], {
    timezone: 'Europe/Berlin',
    default: true,
    rules: [{ wday: 'sunday' }, monday]
  })
  const one = await get(`/user_availability_schedules/${uuidOf(String(list.body.collection[0]?.uri))}`)
  t.strictSame(one.body, { resource: list.body.collection[0] })
  t.match(await get(`/event_type_availability_schedules?event_type=${thirtyMinutes}`), {
    body: { collection: [{ event_type: thirtyMinutes, availability_rule: { rules: [{}, monday] } }] }
  })
})

t.test('the hosts of an event type are listed to its own organization only', async (t) => {
  const { get } = await start(t)
  const path = `/event_type_memberships?event_type=${workshop}`
  t.match(await get(path), {
    body: { collection: [{ member: { uri: standard.users.ada } }], pagination: { count: 1 } }
  })
  t.match(await get(path, as(standard.tokens.mei)), { status: 403 })
})
