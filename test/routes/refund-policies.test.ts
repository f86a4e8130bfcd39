import t from 'tap'
import { engines } from '../support/database.ts'
import { openService, type Service, until } from '../support/service.ts'
import {
  book,
  bookings,
  cancel,
  eventTypes,
  freeTimes,
  read,
  untilApplied,
  untilSubscribed
} from './support/client.ts'

const path = '/api/v1/refund-policies'
const builtIn = {
  name: 'default',
  version: 1,
  tiers: [
    { notice_hours: 24, percent: 100 },
    { notice_hours: 12, percent: 50 },
    { notice_hours: 0, percent: 0 }
  ],
  host_cancel_percent: 100,
  no_show_percent: 0,
  clock: 'start'
}
const flat = (percent: number) => ({ tiers: [{ notice_hours: 0, percent }] })
const put = ({ call }: Service, name: string, body: unknown, key?: string) =>
  call('PUT', `${path}/${name}`, { body, ...(key !== undefined && { key }) })

async function choose({ call }: Service, eventType: string, policy: string) {
  const id = eventType.slice(eventType.lastIndexOf('/') + 1)
  return call('PUT', `/api/v1/event-types/${id}/settings`, { body: { refund_policy: policy } })
}

for (const engine of engines) {
  t.test(`refund policies on ${engine}`, async (t) => {
    const service = await openService(t, { engine })
    const { call } = service

    t.test('there is one from the beginning', async (t) => {
      t.match(await call('GET', path), { status: 200, body: { data: [builtIn], next_cursor: null } })
      t.same((await call('GET', `${path}/default`)).body, builtIn)
      t.same((await call('GET', `${path}/default?version=1`)).body, builtIn)
      t.match(await call('GET', `${path}/strict`), { status: 404, body: { code: 'not_found' } })
      t.match(await call('GET', `${path}/default?version=2`), { status: 404, body: { code: 'not_found' } })
    })

    t.test('a new one has version 1, a changed one the next, and what was stays to be read', async (t) => {
      const body = {
        tiers: [
          { notice_hours: 36.5, percent: 99.99 },
          { notice_hours: 1, percent: 0.01 }
        ],
        host_cancel_percent: 33.33,
        no_show_percent: 12.5,
        clock: 'first_start'
      }
      t.same((await put(service, 'strict-2_a', body)).body, { name: 'strict-2_a', version: 1, ...body })
      t.match(await put(service, 'strict-2_a', flat(28.57)), {
        status: 200,
        body: { ...builtIn, name: 'strict-2_a', version: 2, tiers: flat(28.57).tiers }
      })
      t.match((await call('GET', `${path}/strict-2_a`)).body, { version: 2, ...flat(28.57) })
      t.match((await call('GET', `${path}/strict-2_a?version=1`)).body, { version: 1, ...body })
      const { data } = (await call('GET', path)).body
      t.match(data, [builtIn, { name: 'strict-2_a', version: 2 }])
      t.equal(data.length, 2)
    })

    t.test('the same again changes nothing', async (t) => {
      await put(service, 'again', flat(50))
      t.match(await put(service, 'again', flat(50)), { status: 200, body: { version: 1 } })
      t.match(await put(service, 'again', { ...builtIn, name: undefined, version: undefined, ...flat(50) }), {
        body: { version: 1 }
      })
      t.match(await put(service, 'again', flat(40)), { body: { version: 2 } })
      t.match(await put(service, 'again', flat(50)), { body: { version: 3 } }, 'what it was once is news')
    })

    t.test('many changes at once are as many versions', async (t) => {
      const percents = Array.from({ length: 30 }, (_, index) => index + 1)
      const answers = await Promise.all(percents.map((percent) => put(service, 'busy', flat(percent))))
      t.ok(answers.every(({ status }) => status === 200))
      t.same(
        answers.map(({ body }) => body.version).toSorted((one, other) => one - other),
        percents
      )
      for (const { body } of answers) {
        t.same((await call('GET', `${path}/busy?version=${body.version}`)).body, body)
      }
    })

    t.test('the same at once by many is one version', async (t) => {
      const answers = await Promise.all(Array.from({ length: 30 }, () => put(service, 'agreed', flat(10))))
      t.ok(answers.every(({ status, body }) => status === 200 && body.version === 1))
      t.equal((await call('GET', `${path}/agreed?version=2`)).status, 404)
    })

    t.test('what makes no policy is refused with its place, and changes nothing', async (t) => {
      const tier = (notice_hours: unknown, percent: unknown) => ({ notice_hours, percent })
      const wrong: [body: unknown, pointer: string][] = [
        [{}, '#/tiers'],
        [{ tiers: [] }, '#/tiers'],
        [{ tiers: Array.from({ length: 21 }, (_, index) => tier(21 - index, 0)) }, '#/tiers'],
        [{ tiers: [tier(24, 100), tier(24, 50)] }, '#/tiers/1/notice_hours'],
        [{ tiers: [tier(12, 50), tier(24, 50)] }, '#/tiers/1/notice_hours'],
        [{ tiers: [tier(24, 50), tier(12, 50.5)] }, '#/tiers/1/percent'],
        [{ tiers: [tier(-1, 50)] }, '#/tiers/0/notice_hours'],
        [{ tiers: [tier(1.005, 50)] }, '#/tiers/0/notice_hours'],
        [{ tiers: [tier('24', 50)] }, '#/tiers/0/notice_hours'],
        [{ tiers: [tier(24, 100.01)] }, '#/tiers/0/percent'],
        [{ tiers: [tier(24, -0.01)] }, '#/tiers/0/percent'],
        [{ tiers: [tier(24, 33.333)] }, '#/tiers/0/percent'],
        [{ tiers: [tier(24, 1e-9)] }, '#/tiers/0/percent'],
        [{ tiers: [tier(24, null)] }, '#/tiers/0/percent'],
        [{ tiers: [{ notice_hours: 24 }] }, '#/tiers/0/percent'],
        [{ tiers: [{ percent: 24 }] }, '#/tiers/0/notice_hours'],
        [{ ...flat(1), host_cancel_percent: 101 }, '#/host_cancel_percent'],
        [{ ...flat(1), no_show_percent: 0.001 }, '#/no_show_percent'],
        [{ ...flat(1), clock: 'end' }, '#/clock'],
        [{ ...flat(1), version: 7 }, '#/version']
      ]
      for (const [body, pointer] of wrong) {
        const answer = await put(service, 'wrong', body)
        const { status, body: problem } = answer
        t.match(
          { status, code: problem.code },
          { status: 400, code: 'validation_failed' },
          JSON.stringify(body)
        )
        t.same(
          problem.errors.map((fault: { pointer: string }) => fault.pointer),
          [pointer],
          JSON.stringify(body)
        )
      }
      for (const name of ['A', 'a.b', 'ä', 'a'.repeat(65), '%20']) {
        t.equal((await put(service, name, flat(1))).status, 400, name)
      }
      for (const version of ['0', '-1', '1.5', 'x', '']) {
        t.equal((await call('GET', `${path}/default?version=${version}`)).status, 400, version)
      }
      t.equal((await call('GET', `${path}/wrong`)).status, 404)
    })

    t.test('percentages of two decimals come back as they were sent', async (t) => {
      for (const percent of [0.01, 0.07, 0.29, 1.1, 4.35, 8.2, 28.57, 33.33, 57.38, 64.1, 99.99, 100]) {
        t.match((await put(service, 'exact', flat(percent))).body, flat(percent), `${percent}`)
      }
    })

    t.test('who may read may not change', async (t) => {
      const body = { name: 'desk', scopes: ['refunds:read'] }
      const { key } = (await call('POST', '/api/v1/caller-keys', { body })).body
      t.equal((await call('GET', path, { key })).status, 200)
      t.equal((await call('GET', `${path}/default`, { key })).status, 200)
      t.match(await put(service, 'strict', flat(0), key), { status: 403, body: { detail: /refunds:write/ } })
    })
  })

  t.test(`which policy a booking has on ${engine}`, async (t) => {
    const service = await openService(t, { engine, webhooks: true })
    const { call, control } = service
    await untilSubscribed(service)
    const policyOf = async (id: string) => (await read(service, id)).body.refund_policy

    t.test('an event type may name any policy that there is', async (t) => {
      t.match(await choose(service, eventTypes.introCall, 'gone'), {
        status: 400,
        body: { code: 'validation_failed', errors: [{ pointer: '#/refund_policy' }] }
      })
      await put(service, 'gone', flat(0))
      t.match(await choose(service, eventTypes.introCall, 'gone'), {
        status: 200,
        body: { refund_policy: 'gone' }
      })
      t.match(await choose(service, eventTypes.introCall, 'default'), { status: 200 })
    })

    t.test('a booking keeps the version that it was made under, whatever is changed later', async (t) => {
      const first = (await book(service)).body
      t.same(first.refund_policy, { name: 'default', version: 1 })
      await put(service, 'default', flat(10))
      const second = (await book(service)).body
      t.same(second.refund_policy, { name: 'default', version: 2 })
      await put(service, 'strict', flat(0))
      await choose(service, eventTypes.thirtyMinutes, 'strict')
      const third = (await book(service)).body
      t.same(third.refund_policy, { name: 'strict', version: 1 })
      await put(service, 'strict', flat(5))
      t.same(await policyOf(first.id), { name: 'default', version: 1 })
      t.same(await policyOf(second.id), { name: 'default', version: 2 })
      t.same(await policyOf(third.id), { name: 'strict', version: 1 })
      t.equal((await cancel(service, third.id)).status, 200)
      t.same(await policyOf(third.id), { name: 'strict', version: 1 })
    })

    t.test("also when it is moved, here or on Calendly's page", async (t) => {
      const { body } = await book(service)
      const made = body.refund_policy
      await put(service, 'strict', flat(made.version + 10))
      const [, , to, later] = await freeTimes(service)
      const moved = await call('POST', `/api/v1/bookings/${body.id}/reschedule`, {
        idempotencyKey: 'moved',
        body: { start_time: to }
      })
      t.match(moved, { status: 200, body: { start_time: to, refund_policy: made } })
      const { invitee } = moved.body.calendly
      await control('POST', '/reschedule', { invitee, start_time: later })
      await untilApplied(service)
      t.match((await read(service, body.id)).body, { start_time: later, refund_policy: made })
    })

    t.test("one made on Calendly's page has the policy of its event type, too", async (t) => {
      const { version } = (await put(service, 'strict', flat(77))).body
      const { invitee } = await control('POST', '/book', { event_type: eventTypes.thirtyMinutes })
      await untilApplied(service)
      const ours = (await bookings(service)).find(({ calendly }) => calendly.invitee === invitee.uri)
      t.match(ours, { source: 'webhook', refund_policy: { name: 'strict', version } })
    })

    t.test('and one that only the comparison with Calendly found', async (t) => {
      const { version } = (await put(service, 'strict', flat(78))).body
      await control('POST', '/webhooks/mode', { withhold: true })
      const { invitee } = await control('POST', '/book', { event_type: eventTypes.thirtyMinutes })
      await call('POST', '/api/v1/reconciliations', { body: { kind: 'calendly' } })
      const [ours] = await until(
        async () => (await bookings(service)).filter(({ calendly }) => calendly.invitee === invitee.uri),
        (found) => found.length > 0
      )
      t.match(ours, { source: 'reconciliation', refund_policy: { name: 'strict', version } })
    })
  })
}
