import t from 'tap'
import { engines } from '../support/database.ts'
import { type Answer, openService } from '../support/service.ts'
import { book, eventTypes, freeTimes, iso, untilStatus } from './support/client.ts'
import { hold, keyOf, release } from './support/holds.ts'

const { introCall, teamCall, thirtyMinutes, workshop } = eventTypes
const halfHourMs = 1_800_000
const later = (start: string, halves: number) =>
  iso(Date.parse(start) + halves * halfHourMs).replace('.000', '')
const kinds = ({ body }: Answer) => body.conflicts.map(({ kind }: { kind: string }) => kind)

for (const engine of engines) {
  t.test(`rules that holds and bookings share (${engine})`, async (t) => {
    const service = await openService(t, { engine })
    const { call } = service
    const stranger = { key: await keyOf(service) }
    const attempts = [hold, book]

    async function set(eventType: string, settings: Record<string, number>): Promise<void> {
      const path = `/api/v1/event-types/${encodeURIComponent(eventType)}/settings`
      t.equal((await call('PUT', path, { body: settings })).status, 200)
    }

    t.test('buffers add up, and what is a whole buffer away is free', async (t) => {
      await set(thirtyMinutes, { buffer_before_minutes: 15, buffer_after_minutes: 15 })
      const times = await freeTimes(service)
      const isRun = (start: string) => [1, 2, 3, 4].every((n) => times.includes(later(start, n)))
      const start_time = times.find(isRun) ?? ''
      const held = await hold(service, { start_time: later(start_time, 2) })
      t.equal(held.status, 201)
      for (const attempt of attempts) {
        for (const halves of [1, 3]) {
          const refused = await attempt(service, { start_time: later(start_time, halves) }, stranger)
          t.equal(refused.status, 409)
          t.same(kinds(refused), ['buffer'])
        }
      }
      t.equal((await book(service, { start_time: later(start_time, 4) }, stranger)).status, 201)
      t.equal((await hold(service, { start_time }, stranger)).status, 201)
      const booked = await book(service, { start_time: later(start_time, 2), hold_id: held.body.id })
      t.equal(booked.status, 201, 'and whoever held it has passed them')
      await set(thirtyMinutes, {})
    })

    t.test('a notice too short is refused, but not to whoever held the time before', async (t) => {
      const { id, start_time } = (await hold(service)).body
      const [, other] = await freeTimes(service)
      await set(thirtyMinutes, { minimum_notice_minutes: 60 * 24 * 60 })
      for (const attempt of attempts) {
        const refused = await attempt(service, { start_time: other })
        t.equal(refused.status, 409)
        t.same(kinds(refused), ['minimum_notice'])
      }
      t.equal((await book(service, { start_time, hold_id: id })).status, 201)
      await set(thirtyMinutes, {})
    })

    t.test('a day takes as many holds and bookings as it may, whoever comes at once', async (t) => {
      await set(introCall, { max_per_day: 3 })
      const [first = ''] = await freeTimes(service, introCall)
      const day = (await freeTimes(service, introCall)).filter((start) =>
        start.startsWith(first.slice(0, 10))
      )
      const wanted = { event_type: introCall }
      const all = await Promise.all(
        day.flatMap((start_time) => attempts.map((attempt) => attempt(service, { ...wanted, start_time })))
      )
      const served = all.filter(({ status }) => status === 201)
      t.equal(served.length, 3)
      t.equal(all.filter(({ status }) => status === 409).length, all.length - 3)
      const isFree = (start: string) => !served.some(({ body }) => body.start_time === start)
      const start_time = day.find(isFree) ?? ''
      const full = await hold(service, { ...wanted, start_time })
      t.equal(full.status, 409)
      t.same(kinds(full), ['max_per_day'])
      const holds = served.filter(({ body }) => body.id.startsWith('hld_'))
      for (const { body } of holds) {
        const booked = await book(service, { ...wanted, start_time: body.start_time, hold_id: body.id })
        t.equal(booked.status, 201, 'and a hold has its place in it')
      }
      t.equal((await book(service, { ...wanted, start_time }, stranger)).status, 409)
      await set(introCall, {})
    })

    t.test('a session has seats for holds and bookings together', async (t) => {
      const [start_time] = await freeTimes(service, workshop)
      const wanted = { event_type: workshop, start_time }
      const ours = await hold(service, wanted)
      const all = await Promise.all(
        Array.from({ length: 24 }, (_, n) => (n % 2 ? hold : book)(service, wanted, n % 3 ? {} : stranger))
      )
      t.same(all.map(({ status }) => status).sort(), [...Array(4).fill(201), ...Array(20).fill(409)])
      await release(service, ours.body.id)
      const last = await hold(service, wanted)
      t.equal(last.status, 201)
      t.equal((await book(service, wanted, stranger)).status, 409)
      t.equal((await book(service, { ...wanted, hold_id: last.body.id })).status, 201)
    })

    t.test('a pool has as many holds as hosts, and each is booked', async (t) => {
      const wanted = { event_type: teamCall }
      const start_time = (await freeTimes(service, teamCall)).findLast((start) => /T15:/.test(start))
      const all = await Promise.all(
        Array.from({ length: 12 }, () => hold(service, { ...wanted, start_time }))
      )
      const held = all.filter(({ status }) => status === 201)
      t.equal(held.length, 3)
      t.match(await book(service, { ...wanted, start_time }, stranger), { status: 409 })
      const booked = await Promise.all(
        held.map(({ body }) => book(service, { ...wanted, start_time, hold_id: body.id }))
      )
      const hosts = await Promise.all(
        booked.map(async ({ body }) => (await untilStatus(service, body.id, 'confirmed')).hosts[0].user)
      )
      t.equal(new Set(hosts).size, 3)
      t.match(await hold(service, { ...wanted, start_time }), { status: 409 })
    })
  })
}
