import { randomUUID } from 'node:crypto'
import t from 'tap'
import { engines } from '../support/database.ts'
import { openService, until } from '../support/service.ts'
import { movableSystem } from '../support/system.ts'
import { asked, book, dayMs, iso, read, timelineOf, untilApplied, untilSubscribed } from './support/client.ts'

for (const engine of engines) {
  t.test(`no-shows (${engine})`, async (t) => {
    const system = movableSystem()
    const service = await openService(t, { engine, system, webhooks: true })
    const { call, control } = service
    await untilSubscribed(service)
    const path = (id: string) => `/api/v1/bookings/${id}/no-show`
    const mark = (id: string, idempotencyKey?: string) =>
      call('POST', path(id), idempotencyKey === undefined ? {} : { idempotencyKey })
    const remove = (id: string) => call('DELETE', path(id))
    const early = (await book(service)).body
    const one = (await book(service)).body
    const other = (await book(service)).body

    t.test('of what has not begun there is none, in Calendly’s words', async (t) => {
      t.match(await mark(early.id), {
        status: 422,
        body: { code: 'calendly_rejected', detail: /Event is not started yet/ }
      })
      t.match((await read(service, early.id)).body, { no_show: false, version: early.version })
    })

    t.test(
      'after the start it is marked and taken back, and Calendly’s own word changes nothing',
      async (t) => {
        system.moveTo(Date.parse(one.start_time) + 20 * dayMs)
        await control('POST', '/clock', { now: iso(system.now()) })
        t.match(await mark(one.id), { status: 200, body: { id: one.id, no_show: true, status: 'completed' } })
        await untilApplied(service)
        t.match(await mark(one.id), { status: 200, body: { no_show: true } })
        t.match(await remove(one.id), { status: 200, body: { no_show: false } })
        t.match(await remove(one.id), { status: 200, body: { no_show: false } })
        await untilApplied(service)
        t.match((await read(service, one.id)).body, { no_show: false })
        t.same((await timelineOf(service, one.id)).slice(-2), ['no_show_marked', 'no_show_removed'])
      }
    )

    t.test('a key replays what was answered, and asks Calendly once', async (t) => {
      await control('DELETE', '/requests')
      const key = randomUUID()
      const [first, second] = [await mark(other.id, key), await mark(other.id, key)]
      t.match(second.headers, { 'idempotent-replayed': 'true' })
      t.same(second.body, first.body)
      t.equal((await asked(service, 'POST', /^\/invitee_no_shows$/)).length, 1)
    })

    t.test('one that is marked on Calendly’s page is heard of', async (t) => {
      const { calendly } = early
      const answer = await fetch(`${service.sandbox?.url}/invitee_no_shows`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${service.sandbox?.token}`,
          'content-type': 'application/json'
        },
        body: JSON.stringify({ invitee: calendly.invitee })
      })
      t.equal(answer.status, 201)
      await until(
        () => read(service, early.id),
        ({ body }) => body.no_show
      )
      t.equal((await timelineOf(service, early.id)).at(-1), 'no_show_marked')
      t.match(await remove(early.id), { status: 200, body: { no_show: false } })
    })

    t.test('a booking that is not there, or canceled, has none', async (t) => {
      t.match(await mark('bkg_unknown'), { status: 404, body: { code: 'booking_not_found' } })
      const booked = (await book(service)).body
      await call('POST', `/api/v1/bookings/${booked.id}/cancel`, {
        idempotencyKey: randomUUID(),
        body: { canceler_type: 'host' }
      })
      t.match(await mark(booked.id), { status: 422, body: { code: 'calendly_rejected' } })
    })

    t.test('who may only read bookings may not', async (t) => {
      const body = { name: 'reader', scopes: ['bookings:read'] }
      const { key } = (await call('POST', '/api/v1/caller-keys', { body })).body
      t.match(await call('POST', path(one.id), { key }), { status: 403 })
      t.match(await call('DELETE', path(one.id), { key }), { status: 403 })
    })
  })
}
