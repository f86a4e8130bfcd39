import t from 'tap'
import { engines } from '../support/database.ts'
import { openService, until } from '../support/service.ts'
import { book, eventTypes, freeTimes, untilApplied, untilStatus, untilSubscribed } from './support/client.ts'
import { hold, readHold, release } from './support/holds.ts'

const { thirtyMinutes: event_type } = eventTypes

for (const engine of engines) {
  t.test(`holds that Calendly overrules (${engine})`, async (t) => {
    const service = await openService(t, { engine, webhooks: true })
    const { control } = service
    await untilSubscribed(service)

    t.test('somebody who books the time on Calendly’s own page has it: the hold is lost', async (t) => {
      const { id, start_time } = (await hold(service)).body
      await control('POST', '/book', { event_type, start_time })
      await until(
        () => readHold(service, id),
        ({ body }) => body.status === 'lost'
      )
      t.match(await book(service, { start_time, hold_id: id }), { status: 409, body: { code: 'hold_lost' } })
      t.match(await hold(service, { start_time }), { body: { conflicts: [{ kind: 'booking', start_time }] } })
      t.equal((await release(service, id)).status, 204)
    })

    t.test('a hold that Calendly does not honour any more is lost by the attempt', async (t) => {
      const { id, start_time } = (await hold(service)).body
      await control('POST', '/fill', { event_type, start_time })
      const late = await book(service, { start_time, hold_id: id })
      t.match(late, { status: 409, body: { code: 'slot_unavailable', alternatives: [{ event_type }] } })
      t.match((await readHold(service, id)).body, { status: 'lost' })
    })

    t.test('a booking with a hold whose answer was lost is found, and the hold stays used', async (t) => {
      const { id, start_time } = (await hold(service)).body
      await control('POST', '/faults', {
        match: { method: 'POST', path: '/invitees' },
        kind: 'drop_after',
        times: 1
      })
      // Its webhook may be faster than the news that the answer is lost.
      const { status, body: unknown } = await book(service, { start_time, hold_id: id })
      t.ok([201, 202].includes(status))
      t.match((await readHold(service, id)).body, { status: 'used' })
      await untilStatus(service, unknown.id, 'confirmed')
      await untilApplied(service)
      t.match((await readHold(service, id)).body, { status: 'used' })
      t.notOk((await freeTimes(service)).includes(start_time))
    })
  })
}
