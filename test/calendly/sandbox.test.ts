import t, { type Test } from 'tap'
import { request } from 'undici'
import type { InviteeRequest } from '../../src/core/calendly.ts'
import { openSandbox } from '../../src/sandbox/sandbox.ts'
import { standard } from '../../src/sandbox/standard.ts'
import { createTestKeys } from '../support/keys.ts'
import { openTestClient, startOfTest } from './fixtures/client.ts'

const day = 86_400_000
const { thirtyMinutes, workshop, introCall, teamCall, panel, kickoff } = standard.eventTypes
const { ada, noah, tomas } = standard.users

/** The client and a Calendly to run against, on one clock. Both must agree on every request that was made. */
async function open(t: Test, tokens: readonly (keyof typeof standard.tokens)[] = ['ada']) {
  const sandbox = await openSandbox({ now: () => startOfTest })
  const keys = createTestKeys(
    ...tokens.map((name) => ({ name, token: standard.tokens[name], user: standard.users.ada }))
  )
  const client = openTestClient({ baseUrl: sandbox.url, keys: keys.source, quotaShare: 0.8 })
  const control = async (method: 'GET' | 'POST' | 'PUT', path: string, body?: object) => {
    const answer = await request(`${sandbox.url}/__sandbox${path}`, {
      method,
      ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } })
    })
    const text = await answer.body.text()
    return text === '' ? undefined : JSON.parse(text)
  }
  t.teardown(async () => {
    await client.calendly.close()
    await sandbox.close()
  })
  return {
    calendly: client.calendly,
    control,
    fault: (fault: object) => control('POST', '/faults', fault),
    violations: () => control('GET', '/violations')
  }
}

const bookingOf = (startTime: number, changes: Partial<InviteeRequest> = {}): InviteeRequest => ({
  eventType: thirtyMinutes,
  startTime,
  invitee: { name: 'Bob Guest', email: 'bob@example.com', timezone: 'America/Denver' },
  location: { kind: 'google_conference' },
  questionsAndAnswers: [],
  tracking: { utmTerm: 'bkg_1' },
  guests: [],
  ...changes
})
const halfYear = { startTime: startOfTest, endTime: startOfTest + 180 * day }

t.test('from the free times to the cancellation, Calendly understands every request', async (t) => {
  const { calendly, violations } = await open(t)
  t.match(await calendly.user(), { uri: standard.users.ada, organization: standard.organization })
  t.ok((await calendly.listEventTypes()).some(({ uri }) => uri === thirtyMinutes))
  const eventType = await calendly.findEventType(thirtyMinutes)
  t.same(eventType && (await calendly.listHosts(eventType)), [standard.users.ada])

  const { times } = await calendly.availableTimes({ eventType: thirtyMinutes, ...halfYear })
  const [first] = times
  if (!first) return t.fail('there is a free time')
  t.ok((times.at(-1)?.startTime ?? 0) > startOfTest + 170 * day, 'over half a year')

  const outcome = await calendly.createInvitee(bookingOf(first.startTime, { guests: ['guest@example.com'] }))
  if (outcome.kind !== 'done') return t.fail('booked', { outcome })
  const { uri, event, tracking } = outcome.invitee
  t.equal(tracking.utmTerm, 'bkg_1')
  t.match(await calendly.findEvent(event), {
    status: 'active',
    startTime: first.startTime,
    eventType: thirtyMinutes,
    hosts: [{ user: standard.users.ada }],
    guests: ['guest@example.com']
  })
  t.match(await calendly.listInvitees(event), [{ uri, email: 'bob@example.com' }])
  t.match(await calendly.findInvitee(uri), { status: 'active', timezone: 'America/Denver' })
  const after = await calendly.availableTimes({ eventType: thirtyMinutes, ...halfYear })
  t.notOk(after.times.some(({ startTime }) => startTime === first.startTime))

  t.match(await calendly.cancelEvent(event, 'ill'), {
    kind: 'done',
    cancellation: { reason: 'ill', cancelerType: 'host' }
  })
  t.match(await calendly.cancelEvent(event), { kind: 'refused', reason: 'already_canceled' })
  t.match(await calendly.findInvitee(uri), { status: 'canceled' })
  t.same(await violations(), { violations: [] })
})

t.test(
  "a team's event types are read with their hosts, and booked with those whom Calendly gives",
  async (t) => {
    const { calendly, violations } = await open(t)
    const hosts = { [teamCall]: [ada, noah, tomas], [panel]: [ada, tomas], [kickoff]: [ada, noah, tomas] }
    const listed = await calendly.listEventTypes()
    for (const [uri, expected] of Object.entries(hosts)) {
      const eventType = listed.find((one) => one.uri === uri)
      if (!eventType) return t.fail(uri)
      t.same((await calendly.listHosts(eventType)).toSorted(), expected.toSorted())
      t.equal(await calendly.timeZoneOf(eventType), 'Europe/Berlin', 'a team is where we are')
    }
    const ofNoah = await calendly.findEventType(introCall)
    t.equal(ofNoah && (await calendly.timeZoneOf(ofNoah)), 'America/New_York')

    const { times } = await calendly.availableTimes({ eventType: panel, ...halfYear })
    const startTime = times[0]?.startTime ?? 0
    const outcome = await calendly.createInvitee(bookingOf(startTime, { eventType: panel }))
    if (outcome.kind !== 'done') return t.fail('booked', { outcome })
    t.match(await calendly.findEvent(outcome.invitee.event), { hosts: [{ user: ada }, { user: tomas }] })
    for (const user of [ada, tomas]) {
      t.match(await calendly.busyTimes(user, startTime, startTime + 14 * day), [
        { type: 'calendly', startTime, event: outcome.invitee.event }
      ])
    }
    t.same(
      await calendly.busyTimes(standard.users.mei, startTime, startTime + day),
      [],
      'not our organisation'
    )
    const roundRobin = bookingOf(startTime + 3_600_000, { eventType: teamCall })
    t.match(await calendly.createInvitee(roundRobin), {
      kind: 'refused',
      refusal: { reason: 'invalid_location' }
    })
    t.match(await calendly.createInvitee({ ...roundRobin, location: undefined }), { kind: 'done' })
    t.same(await violations(), { violations: [] })
  }
)

t.test('a no-show is marked once the event has begun, and taken back', async (t) => {
  const { calendly, control, violations } = await open(t)
  const { times } = await calendly.availableTimes({ eventType: thirtyMinutes, ...halfYear })
  const outcome = await calendly.createInvitee(bookingOf(times[0]?.startTime ?? 0))
  if (outcome.kind !== 'done') return t.fail('booked', { outcome })
  const { uri } = outcome.invitee
  t.match(await calendly.markNoShow(uri), { kind: 'refused', detail: /not started yet/ })
  await control('POST', '/clock', { advance_seconds: 5 * 86_400 })
  const marked = await calendly.markNoShow(uri)
  if (marked.kind !== 'done') return t.fail('marked', { marked })
  t.match(await calendly.findInvitee(uri), { noShow: { uri: marked.uri } })
  t.match(await calendly.markNoShow(uri), { kind: 'refused' }, 'only once')
  t.same(await calendly.removeNoShow(marked.uri), { kind: 'done' })
  t.same(await calendly.removeNoShow(marked.uri), { kind: 'done' }, 'there is none')
  t.match(await calendly.findInvitee(uri), { noShow: undefined })
  t.same(await violations(), { violations: [] })
})

t.test('a scheduling link is for one booking', async (t) => {
  const { calendly, control, violations } = await open(t)
  const { bookingUrl } = await calendly.createSchedulingLink(introCall)
  t.match(await control('POST', '/book', { link: bookingUrl }), { event: { event_type: introCall } })
  t.match(await control('POST', '/book', { link: bookingUrl }), { message: /used/ })
  await t.rejects(calendly.createSchedulingLink(`${introCall}0`), { code: 'event_type_not_found' })
  t.same(await violations(), { violations: [] })
})

t.test("Calendly's own words for a refusal are understood", async (t) => {
  const { calendly } = await open(t)
  const { times } = await calendly.availableTimes({ eventType: thirtyMinutes, ...halfYear })
  const startTime = times[0]?.startTime ?? 0
  t.match(await calendly.createInvitee(bookingOf(startTime)), { kind: 'done' })
  const refusals: [InviteeRequest, string][] = [
    [bookingOf(startTime), 'already_filled'],
    [bookingOf(times[4]?.startTime ?? 0, { location: { kind: 'zoom_conference' } }), 'invalid_location'],
    [bookingOf(times[4]?.startTime ?? 0, { eventType: `${thirtyMinutes}0` }), 'not_found']
  ]
  for (const [asked, reason] of refusals) {
    t.match(await calendly.createInvitee(asked), { kind: 'refused', refusal: { reason } }, reason)
  }
})

t.test('a booking whose answer was lost is ambiguous, and can be found', async (t) => {
  const { calendly, fault } = await open(t)
  const { times } = await calendly.availableTimes({ eventType: workshop, ...halfYear })
  for (const [index, kind] of ['drop_after', 'reset_after', 'truncate', 'malformed'].entries()) {
    await fault({ match: { method: 'POST', path: '/invitees' }, kind, times: 1 })
    const startTime = times[index * 30]?.startTime ?? 0
    const asked = bookingOf(startTime, { eventType: workshop, location: { kind: 'zoom_conference' } })
    t.match(await calendly.createInvitee(asked), { kind: 'ambiguous' }, kind)
    const at = { minStartTime: startTime, maxStartTime: startTime }
    t.match(await calendly.listEvents({ inviteeEmail: 'bob@example.com', ...at }), [{ startTime }], kind)
  }
})

t.test('reads outlive faults that pass', async (t) => {
  const { calendly, fault } = await open(t)
  for (const kind of ['status', 'drop_before', 'drop_after', 'reset_after', 'truncate', 'malformed']) {
    await fault({ match: { method: 'GET' }, kind, times: 1 })
    await calendly.ping()
  }
  t.match(calendly.health(), { requests: { 'GET /users/me': { count: 12, errors: 6, retries: 6 } } })
})

t.test('a member who may not speak for the organisation speaks for himself', async (t) => {
  const { calendly, violations } = await open(t, ['noah'])
  t.ok((await calendly.listEventTypes()).some(({ uri }) => uri === introCall))
  t.same(await calendly.listEvents({}), [])
  const wanted = { url: 'http://127.0.0.1:9/hook', events: ['invitee.created'], signingKey: 'a-signing-key' }
  const outcome = await calendly.createSubscription(wanted)
  t.match(outcome, { kind: 'created', subscription: { scope: 'user', callbackUrl: wanted.url } })
  t.same(await calendly.createSubscription(wanted), { kind: 'exists' })
  const [subscription] = await calendly.listSubscriptions()
  await calendly.deleteSubscription(subscription?.uri ?? '')
  t.same(await calendly.listSubscriptions(), [])
  t.same(await violations(), { violations: [] })
})

t.test('a key revoked under load costs no request, and is asked about once', async (t) => {
  const { calendly, control, violations } = await open(t, ['ada', 'adaSpare'])
  await calendly.user()
  const reads = Array.from({ length: 100 }, async (_, n) => {
    if (n === 50) await control('POST', '/tokens/revoke', { token: 'ada' })
    return calendly.listEvents({})
  })
  t.equal((await Promise.all(reads)).length, 100)
  await calendly.listEvents({})
  type Logged = { path: string; token: string | null; status: number }
  const { requests }: { requests: Logged[] } = await control('GET', '/requests')
  const verifications = requests.filter(({ path, status }) => path === '/users/me' && status === 401)
  t.equal(verifications.length, 1)
  t.equal(requests.at(-1)?.token, 'ada-spare')
  t.same(await violations(), { violations: [] })
})

t.test(
  "a thousand reads at once stay inside the user's quota, and the rest hear an honest time",
  async (t) => {
    const { calendly, control } = await open(t)
    await control('PUT', '/plan', { user: standard.users.ada, plan: 'paid' })
    await control('POST', '/quota', { user: standard.users.ada, used: 100 })
    await calendly.user()
    const outcomes = await Promise.all(
      Array.from({ length: 1_000 }, () =>
        calendly.findEvent('https://api.calendly.com/scheduled_events/none').then(
          () => 'asked',
          ({ code, retryAfterMs }) => `${code} ${retryAfterMs}`
        )
      )
    )
    const asked = outcomes.filter((outcome) => outcome === 'asked').length
    t.equal(asked, 500 - 100 - 1 - 120, 'what others used and bookings need is left alone')
    t.equal(new Set(outcomes).size, 2)
    t.ok(outcomes.includes('calendly_unavailable 60000'))
    const { requests }: { requests: { status: number }[] } = await control('GET', '/requests')
    t.notOk(requests.some(({ status }) => status === 429))
  }
)
