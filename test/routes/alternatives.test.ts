import { randomUUID } from 'node:crypto'
import t from 'tap'
import { engines } from '../support/database.ts'
import { type Answer, openService } from '../support/service.ts'
import { book, eventTypes } from './support/client.ts'
import { check, configure, untouchedDays } from './support/conflicts.ts'
import { hold, keyOf, loseAnswer, readHold, release } from './support/holds.ts'

type Body = Answer['body']

const startsOf = (times: Body[]): string[] => times.map(({ start_time }) => start_time)

for (const engine of engines) {
  t.test(`alternatives (${engine})`, async (t) => {
    const service = await openService(t, { engine })
    const takeDay = await untouchedDays(service)

    t.test('while nothing changes the same are offered, to whoever asks', async (t) => {
      const [start = ''] = takeDay()
      await book(service, { start_time: start })
      const wanted = { start_time: start, alternative_event_types: [eventTypes.consultation] }
      const { body } = await check(service, wanted)
      t.equal(body.alternatives.length, 5)
      for (const _ of [1, 2, 3]) t.same((await check(service, wanted)).body, body)

      const { body: lost } = await book(service, { start_time: start })
      t.equal(lost.alternatives.length, 5)
      t.same((await book(service, { start_time: start })).body.alternatives, lost.alternatives)
      const held = await hold(service, { start_time: start })
      t.same(startsOf(held.body.alternatives), startsOf(lost.alternatives))
    })

    t.test('everything that is offered can be booked right after, whatever of ours is around', async (t) => {
      const day = takeDay()
      const [first = '', second = '', third = ''] = [day[0], day[2], day[5]]
      await configure(service, { buffer_after_minutes: 15, buffer_before_minutes: 5, max_per_day: 6 })
      for (const start_time of [first, second]) {
        t.equal((await book(service, { start_time })).status, 201)
      }
      t.equal((await hold(service, { start_time: third })).status, 201)
      for (const start_time of [first, second, third]) {
        const { body } = await check(service, { start_time })
        t.equal(body.available, false)
        t.equal(body.alternatives.length, 5)
        for (const start_time of startsOf(body.alternatives)) {
          const held = await hold(service, { start_time })
          t.equal(held.status, 201, start_time)
          await release(service, held.body.id)
        }
        const [best] = body.alternatives
        t.equal((await book(service, { start_time: best.start_time })).status, 201, 'and the best is booked')
      }
      await configure(service, { max_per_day: 6 })
      const { body } = await book(service, { start_time: first })
      t.equal(body.code, 'slot_unavailable')
      t.ok(
        startsOf(body.alternatives).every((start) => start.slice(0, 10) !== first.slice(0, 10)),
        'the day is full'
      )
      for (const start_time of startsOf(body.alternatives)) {
        t.equal((await book(service, { start_time })).status, 201, start_time)
      }
      await configure(service)
    })

    t.test('who loses to a booking is not offered what was taken a moment ago', async (t) => {
      const [start = ''] = takeDay()
      await book(service, { start_time: start })
      for (let n = 0; n < 6; n++) {
        const lost = await book(service, { start_time: start })
        t.equal(lost.status, 409)
        const next = await book(service, { start_time: lost.body.alternatives[0].start_time })
        t.equal(next.status, 201, `loser ${n} books the best alternative`)
      }
    })

    t.test('hold_first holds the asked time', async (t) => {
      const [start = ''] = takeDay()
      const { status, body } = await check(service, { start_time: start, hold_first: true })
      t.equal(status, 200)
      t.match(body, { available: true, conflicts: [], hold: { start_time: start, status: 'active' } })
      t.match(await check(service, { start_time: start }, { key: await keyOf(service) }), {
        body: { available: false, conflicts: [{ kind: 'hold' }] }
      })
      const booked = await book(service, { start_time: start, hold_id: body.hold.id })
      t.equal(booked.status, 201)
      t.match((await readHold(service, body.hold.id)).body, { status: 'used' })
    })

    t.test('or else the best alternative, and a repetition under the same key the same one', async (t) => {
      const [start = ''] = takeDay()
      await book(service, { start_time: start })
      const wanted = { start_time: start, hold_first: true }
      const idempotencyKey = randomUUID()
      const { body } = await check(service, wanted, { idempotencyKey })
      t.match(body, { available: false, conflicts: [{ kind: 'booking' }] })
      t.equal(body.hold.start_time, body.alternatives[0].start_time)
      const again = await check(service, wanted, { idempotencyKey })
      t.same(again.body, body)
      t.equal(again.headers['idempotent-replayed'], 'true')

      await loseAnswer(service, idempotencyKey, body.hold.id)
      const resumed = await check(service, wanted, { idempotencyKey })
      t.same(resumed.body.hold, body.hold, 'also when its answer was lost')
      await release(service, body.hold.id)
    })

    t.test('many who want the same time at once hold each another one', async (t) => {
      const [start = ''] = takeDay()
      const answers = await Promise.all(
        Array.from({ length: 8 }, () => check(service, { start_time: start, hold_first: true }))
      )
      const held = answers.flatMap(({ body }) => (body.hold ? [body.hold] : []))
      t.ok(answers.every(({ status }) => status === 200))
      t.equal(new Set(startsOf(held)).size, held.length, 'no time twice')
      t.ok(startsOf(held).includes(start))
      t.ok(held.length >= 5, `${held.length} hold one`)
      for (const { id } of held) await release(service, id)
    })
  })
}
