import t, { type Test } from 'tap'
import { standard, standardSeed } from '../../src/sandbox/standard.ts'
import { type Answer, as, meeting, query, start } from './support/client.ts'

type Plan = 'free' | 'trial' | 'paid' | 'enterprise'
type Quota = { user: string; plan: Plan | null; limit: number; remaining: number; bookings: object[] }

const quotaOf = ({ headers }: Answer<unknown>) => ({
  limit: Number(headers['x-ratelimit-limit']),
  remaining: Number(headers['x-ratelimit-remaining']),
  reset: Number(headers['x-ratelimit-reset'])
})

/** A sandbox that enforces a plan, and clients that count what they are told. */
async function startOn(t: Test, plan: Plan) {
  const client = await start(t, { seed: { ...standardSeed, plan } })
  const { get, post, put, control } = client
  let seat = 0
  return {
    ...client,
    me: (token?: string) => get('/users/me', token === undefined ? {} : as(token)),
    /** Each of them is a seat of its own. */
    book: () => post('/invitees', workshopSeat(seat++)),
    advance: (seconds: number) => control('/clock', { advance_seconds: seconds }),
    setPlan: (body: object) => put('/__sandbox/plan', body),
    async times(count: number, ask: () => Promise<Answer<unknown>>) {
      const statuses: number[] = []
      for (let i = 0; i < count; i++) statuses.push((await ask()).status)
      return statuses
    }
  }
}

const workshopSeat = (seat: number) =>
  meeting(new Date(Date.parse('2026-12-01T09:00:00Z') + (seat % 5) * 3_600_000).toISOString(), {
    event_type: standard.eventTypes.workshop,
    invitee: { name: 'Grace', email: `seat-${seat}@example.com`, timezone: 'UTC' },
    location: { kind: 'zoom_conference' }
  })

t.test('without a plan nobody is ever refused, nor told to hold back', async (t) => {
  const { get, control, put, sandbox } = await start(t)
  for (let i = 0; i < 600; i++) {
    const answer = await get('/users/me')
    if (i % 100 === 99) t.strictSame(quotaOf(answer), { limit: 500, remaining: 499, reset: 60 })
    if (answer.status !== 200) return t.fail(`call ${i} is a ${answer.status}`)
  }
  await t.rejects(control('/quota', { used: 1 }), /Without a plan/)
  await put('/__sandbox/plan', { plan: 'free' })
  await put('/__sandbox/plan', { plan: null })
  const { quotas } = await control<{ quotas: Quota[] }>('/quota')
  t.match(
    quotas.find(({ user }) => user === sandbox.user),
    { plan: null, limit: 500, remaining: 499, bookings: [] }
  )
})

t.test('a minute of the free plan has fifty calls, counted from the first', async (t) => {
  const { me, advance, times } = await startOn(t, 'free')
  t.strictSame(quotaOf(await me()), { limit: 50, remaining: 49, reset: 60 })
  await advance(20.5)
  t.strictSame(await times(49, me), Array(49).fill(200))
  const refused = await me()
  t.match(refused, { status: 429, body: {} })
  t.match(refused.headers['content-type'], /^application\/json/)
  t.strictSame(quotaOf(refused), { limit: 50, remaining: 0, reset: 40 }, 'and says when the next may come')
  await advance(39)
  t.strictSame(quotaOf(await me()), { limit: 50, remaining: 0, reset: 1 })
  await advance(1)
  const next = await me()
  t.equal(next.status, 200)
  t.strictSame(quotaOf(next), { limit: 50, remaining: 49, reset: 60 })
})

t.test('what is refused has no effect', async (t) => {
  const { book, control } = await startOn(t, 'free')
  await control('/quota', { used: 50 })
  t.match(await book(), { status: 429 })
  t.match(await control('/state'), { scheduled_events: [] })
  t.match(await control('/requests'), { requests: [{ path: '/invitees', status: 429, fault: null }] })
})

t.test('a quota is of the user, whichever token asks', async (t) => {
  const { me, times } = await startOn(t, 'free')
  const { ada, adaSpare, lena } = standard.tokens
  await times(25, () => me(ada))
  t.strictSame(await times(26, () => me(adaSpare)), [...Array(25).fill(200), 429])
  t.match(await me(ada), { status: 429 })
  t.match(await me(lena), { status: 200 }, 'another user of the organization has one of their own')
  t.match(await me('not-a-token'), { status: 401 }, 'nobody knows whose')
})

t.test('a paid plan books ten times a minute, fifty an hour and a hundred a day', async (t) => {
  const { me, book, advance, times } = await startOn(t, 'paid')
  const fill = async (minutes: number) => {
    for (let i = 0; i < minutes; i++) {
      for (const status of await times(10, book)) if (status === 429) return false
      await advance(60)
    }
    return true
  }
  t.ok(await fill(1))
  await times(10, book)
  const minute = await book()
  t.match(minute, { status: 429, body: {} })
  t.strictSame(quotaOf(minute), { limit: 10, remaining: 0, reset: 60 })
  t.match(await me(), { status: 200, headers: { 'x-ratelimit-limit': '500' } }, 'reads go on')

  await advance(60)
  t.ok(await fill(3))
  const hour = await book()
  t.strictSame(quotaOf(hour), { limit: 50, remaining: 0, reset: 3600 - 5 * 60 })
  await advance(3600 - 5 * 60)
  t.ok(await fill(5))
  t.strictSame(quotaOf(await book()), { limit: 100, remaining: 0, reset: 86_400 - 3600 - 5 * 60 })
  await advance(86_400 - 3600 - 5 * 60)
  t.not((await book()).status, 429)
})

t.test('a trial books five times a day, an enterprise five hundred times a minute', async (t) => {
  const { book, times, setPlan, advance } = await startOn(t, 'trial')
  t.strictSame(await times(6, book), [...Array(5).fill(201), 429])
  await advance(86_399)
  t.strictSame(quotaOf(await book()), { limit: 5, remaining: 0, reset: 1 })

  t.match(await setPlan({ plan: 'enterprise' }), {
    status: 200,
    body: { quotas: [{ limit: 500, bookings: [{ limit: 500, remaining: 500, window_seconds: 60 }] }] }
  })
  t.notOk((await times(6, book)).includes(429))
})

t.test('a plan is chosen for everybody, an organization or a user', async (t) => {
  const { setPlan, me, control } = await startOn(t, 'paid')
  const { ada, noah, mei } = standard.tokens
  const limits = async () => {
    const told = await Promise.all([ada, noah, mei].map(async (token) => quotaOf(await me(token)).limit))
    return told.join()
  }
  await setPlan({ plan: 'free', organization: standard.secondOrganization })
  t.equal(await limits(), '500,500,50')
  await setPlan({ plan: 'free', user: standard.users.ada })
  t.equal(await limits(), '50,500,50')
  t.match(await setPlan({ plan: 'free', user: `${standard.users.ada}X` }), { status: 404 })
  t.match(await setPlan({ plan: 'gold' }), { status: 400, body: { details: [{ parameter: 'plan' }] } })
  await control('/reset', {})
  t.equal(await limits(), '500,500,500', 'a reset brings the plan it was started with')

  const users = standardSeed.users.map((user) => ({
    ...user,
    ...(user.name === 'Noah Hudson' && { plan: 'free' })
  }))
  await control('/reset', { seed: { ...standardSeed, users } })
  t.equal(await limits(), '500,50,500', 'a seed may give a user one')
})

t.test('something else that is connected uses the quota too, and what is left can be asked', async (t) => {
  const { me, book, control, advance } = await startOn(t, 'paid')
  const { ada } = standard.users
  const own = async () => {
    const { quotas } = await control<{ quotas: Quota[] }>('/quota')
    return quotas.find(({ user }) => user === ada)
  }
  t.match(await control('/quota', { used: 450, bookings_used: 9, user: ada }), {
    quotas: [{ user: ada, plan: 'paid', limit: 500, remaining: 50, reset_seconds: 60 }]
  })
  t.strictSame(quotaOf(await me()), { limit: 500, remaining: 49, reset: 60 })
  t.match(await me(standard.tokens.noah), { headers: { 'x-ratelimit-remaining': '499' } })
  t.match(await book(), { status: 201 })
  t.match(await book(), { status: 429, headers: { 'x-ratelimit-limit': '10' } })
  await advance(10)
  t.strictSame(await own(), {
    user: ada,
    plan: 'paid',
    limit: 500,
    remaining: 47,
    reset_seconds: 50,
    bookings: [
      { limit: 10, remaining: 0, reset_seconds: 50, window_seconds: 60 },
      { limit: 50, remaining: 40, reset_seconds: 3590, window_seconds: 3600 },
      { limit: 100, remaining: 90, reset_seconds: 86_390, window_seconds: 86_400 }
    ]
  })
  await control('/quota', { used: 1000 })
  t.match(await me(), { status: 429 }, 'more than there was')
  await advance(50)
  t.match(await own(), { remaining: 500 })
})

t.test('a call that asks for too much counts like any other', async (t) => {
  const { get, me } = await startOn(t, 'free')
  const range = { start_time: '2026-12-01T00:00:00Z', end_time: '2027-12-01T00:00:00Z' }
  const path = `/event_type_available_times?${query({ event_type: standard.eventTypes.workshop, ...range })}`
  t.match(await get(path), { status: 400, headers: { 'x-ratelimit-remaining': '49' } })
  t.match(await me(), { headers: { 'x-ratelimit-remaining': '48' } })
})
