import t from 'tap'
import { engines } from '../support/database.ts'
import { type Answer, openService } from '../support/service.ts'
import { asked, book, eventTypes, freeTimes, hourMs, iso, read } from './support/client.ts'
import { expiredHold, hold, keyOf, readHold, release } from './support/holds.ts'

const { thirtyMinutes, workshop } = eventTypes
const statusesOf = (answers: readonly Answer[]) => answers.map(({ status }) => status).sort()
const oneOf = (count: number) => [201, ...Array(count - 1).fill(409)]
const range = (count: number) => Array.from({ length: count }, (_, n) => n)

for (const engine of engines) {
  t.test(`holds and bookings at once (${engine})`, async (t) => {
    const service = await openService(t, { engine })
    const stranger = { key: await keyOf(service) }
    const posts = async () => (await asked(service, 'POST', /^\/invitees$/)).length
    const starts = await freeTimes(service)
    const nextStart = () => starts.shift() ?? ''
    /** By turns holds and bookings, of two callers. */
    const attempt = (start_time: string, n: number) =>
      (n % 2 ? hold : book)(service, { start_time }, n % 3 ? {} : stranger)

    t.test('of many who hold or book one time exactly one gets it', async (t) => {
      for (const count of [60, 61]) {
        const start_time = nextStart()
        const before = await posts()
        const all = await Promise.all(range(count).map((n) => attempt(start_time, n + count)))
        t.same(statusesOf(all), oneOf(count))
        const winner = all.find(({ status }) => status === 201)
        t.equal(await posts(), before + (winner?.body.id.startsWith('bkg_') ? 1 : 0))
      }
    })

    t.test('whoever holds it books it, whatever others try meanwhile', async (t) => {
      const start_time = nextStart()
      const { id } = (await hold(service, { start_time })).body
      const others = range(60).map((n) => attempt(start_time, n))
      const owners = range(4).map(() => book(service, { start_time, hold_id: id }))
      t.same(statusesOf(await Promise.all(owners)), oneOf(4))
      t.same(statusesOf(await Promise.all(others)), Array(60).fill(409))
      t.match((await readHold(service, id)).body, { status: 'used' })
    })

    t.test('of a hold that is used and released at once one thing becomes', async (t) => {
      for (const _ of range(8)) {
        const start_time = nextStart()
        const { id } = (await hold(service, { start_time })).body
        const [booked, released] = await Promise.all([
          book(service, { start_time, hold_id: id }),
          release(service, id)
        ])
        const { status } = (await readHold(service, id)).body
        const outcome = [booked.status, released.status, status]
        t.ok(
          [
            [201, 409, 'used'],
            [409, 204, 'released']
          ].some((one) => one.join() === outcome.join()),
          outcome.join()
        )
      }
    })

    t.test('what was released or has expired exactly one of many gets, at once', async (t) => {
      const released = nextStart()
      await release(service, (await hold(service, { start_time: released })).body.id)
      const expired = nextStart()
      await expiredHold(service, thirtyMinutes, expired)
      for (const start_time of [released, expired]) {
        t.same(statusesOf(await Promise.all(range(30).map((n) => attempt(start_time, n)))), oneOf(30))
      }
    })

    t.test(
      'no two who got overlapping times of one host are served, but for seats of one session',
      async (t) => {
        const offered = await freeTimes(service, workshop)
        const hours = offered.filter((start) => starts.includes(start)).slice(0, 4)
        const wanted = hours.flatMap((start) => [
          { event_type: workshop, start_time: start, lasts: hourMs },
          { event_type: thirtyMinutes, start_time: start, lasts: hourMs / 2 },
          { event_type: thirtyMinutes, start_time: later(start), lasts: hourMs / 2 }
        ])
        const all = await Promise.all(
          range(180).map(async (n) => {
            const { lasts, ...fields } = wanted[n % wanted.length] ?? { lasts: 0 }
            const answer = await (n % 5 ? hold : book)(service, fields, n % 3 ? {} : stranger)
            return { ...fields, answer, from: Date.parse(answer.body.start_time), lasts }
          })
        )
        t.ok(all.every(({ answer }) => answer.status === 201 || answer.status === 409))
        const served = all.filter(({ answer }) => answer.status === 201)
        for (const a of served) {
          const inTheWay = served.filter(
            (b) => b !== a && a.from < b.from + b.lasts && b.from < a.from + a.lasts
          )
          const isSession = inTheWay.every(
            (b) => a.event_type === workshop && b.event_type === workshop && a.from === b.from
          )
          t.ok(isSession && inTheWay.length < 5, `${a.answer.body.id} at ${a.start_time}`)
        }
        const bookings = served.filter(({ answer }) => answer.body.id.startsWith('bkg_'))
        for (const { answer } of bookings) {
          t.equal((await read(service, answer.body.id)).body.status, 'confirmed')
        }
      }
    )
  })
}

const later = (start: string) => iso(Date.parse(start) + hourMs / 2).replace('.000', '')
