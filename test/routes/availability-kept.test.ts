import t from 'tap'
import { standard } from '../../src/sandbox/standard.ts'
import { availabilityOut } from '../../src/schemas/availability.ts'
import { engines } from '../support/database.ts'
import { openService } from '../support/service.ts'
import { movableSystem } from '../support/system.ts'
import { availability, book, dayMs, eventTypes, iso, slotsOf } from './support/client.ts'

const { thirtyMinutes, consultation, workshop } = eventTypes

for (const engine of engines) {
  t.test(`availability that is asked for again (${engine})`, async (t) => {
    const system = movableSystem()
    const service = await openService(t, { engine, system, sandbox: { now: system.now } })
    const range = { start_time: iso(system.now()), end_time: iso(system.now() + 20 * dayMs) }

    t.test('what is sent is what the contract says, the first time and every other', async (t) => {
      const questions = [
        {},
        { explain: true },
        { locale: 'de', explain: true },
        { event_type: [thirtyMinutes, consultation, workshop], timezone: 'Asia/Kathmandu' },
        { start_time: '2100-01-01T00:00:00Z', end_time: '2100-01-01T00:01:00Z' }
      ]
      await book(service)
      for (const question of questions) {
        const [first, second] = [
          await availability(service, { ...range, ...question }),
          await availability(service, { ...range, ...question })
        ]
        t.same(availabilityOut.parse(first.body), first.body)
        t.equal('excluded' in first.body, question.explain ?? false)
        t.equal(second.text, first.text)
        t.equal(second.headers['content-type'], 'application/json; charset=utf-8')
        t.equal(second.headers['content-length'], String(Buffer.byteLength(second.text)))
      }
    })

    t.test('who books learns of it in the next answer, whoever asks meanwhile', async (t) => {
      const [wanted] = slotsOf(await availability(service, range)).slice(-1)
      const ask = () => availability(service, range)
      const asking = Array.from({ length: 20 }, ask)
      t.equal((await book(service, { start_time: wanted.start_time })).status, 201)
      for (const answer of await Promise.all(Array.from({ length: 20 }, ask))) {
        t.notOk(slotsOf(answer).some(({ start_time }) => start_time === wanted.start_time))
      }
      await Promise.all(asking)
    })

    t.test('a claim that another replica took counts at once', async (t) => {
      const [taken, next] = slotsOf(await availability(service, range)).slice(5, 7)
      await service.app.database.transact(({ claims }) =>
        claims.take({
          tenantId: 'default',
          ownerId: 'bkg_theirs',
          session: 'bkg_theirs',
          hosts: [standard.users.ada],
          mode: 'all',
          startTime: Date.parse(taken.start_time),
          endTime: Date.parse(taken.end_time)
        })
      )
      t.equal(slotsOf(await availability(service, range))[5].start_time, next.start_time)
    })

    t.test('a slot is gone once it has begun', async (t) => {
      const [first, second] = slotsOf(await availability(service, range))
      system.moveTo(Date.parse(first.start_time))
      t.equal(slotsOf(await availability(service, range))[0].start_time, second.start_time)
    })
  })
}
