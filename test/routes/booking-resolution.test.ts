import { randomUUID } from 'node:crypto'
import t from 'tap'
import { engines } from '../support/database.ts'
import { openService } from '../support/service.ts'
import { book, eventTypes, freeTimes, untilStatus } from './support/client.ts'

const noTracking = {
  utm_campaign: null,
  utm_source: null,
  utm_medium: null,
  utm_content: null,
  utm_term: null,
  salesforce_uuid: null
}

for (const engine of engines) {
  t.test(`resolving a booking (${engine})`, async (t) => {
    const service = await openService(t, {
      engine,
      env: {
        BOOKING_LOOKUP_SECONDS: '0.1',
        BOOKING_ABSENCE_SECONDS: '3600',
        BOOKING_ATTENTION_SECONDS: '0.05'
      }
    })
    const { call, control } = service
    const resolve = (id: string, body: unknown, more: { idempotencyKey?: string; key?: string } = {}) =>
      call('POST', `/api/v1/bookings/${id}/resolve`, { body, ...more })

    /** A booking of which Calendly has nothing, and no answer ever came. */
    async function stuck() {
      const match = { method: 'POST', path: '/invitees' }
      await control('POST', '/faults', { match, kind: 'status', status: 502, times: 1 })
      const { body } = await book(service)
      return untilStatus(service, body.id, 'needs_attention')
    }

    /** The invitee whom somebody books at Calendly by hand. */
    async function bookByHand(
      start_time: string,
      utm_term: string | null = null,
      email = 'grace@example.com'
    ) {
      const tracking = { ...noTracking, utm_term }
      const asked = { event_type: eventTypes.thirtyMinutes, start_time, email, tracking }
      return (await control('POST', '/book', asked)).invitee.uri
    }

    t.test('the timeline has what a human needs', async (t) => {
      const { id, start_time } = await stuck()
      const { body } = await call('GET', `/api/v1/bookings/${id}/timeline`)
      t.match(body.data[0], { type: 'requested', at: /Z$/ })
      t.match(body.data[1], {
        type: 'outcome_unknown',
        detail: { reason: 'answer_lost', instead: 'Calendly answered 502' }
      })
      t.match(body.data.at(-1), {
        type: 'needs_attention',
        detail: {
          start_time,
          event_type: eventTypes.thirtyMinutes,
          posts: 1,
          lookups: 2,
          last_look: 'found_nothing'
        }
      })
    })

    t.test('it is confirmed with the invitee that somebody names', async (t) => {
      const { id, start_time } = await stuck()
      const calendly_invitee = await bookByHand(start_time)
      const answer = await resolve(id, { outcome: 'confirmed', calendly_invitee })
      t.match(answer, {
        status: 200,
        body: { id, status: 'confirmed', start_time, calendly: { invitee: calendly_invitee } }
      })
      t.match(answer.body.join_url, /^https:/)
      t.same((await resolve(id, { outcome: 'confirmed', calendly_invitee })).body, answer.body)
      t.match(await resolve(id, { outcome: 'rejected' }), { status: 409, body: { code: 'not_resolvable' } })
    })

    t.test(
      'it is confirmed without a name where Calendly has our mark, else a name is asked for',
      async (t) => {
        const { id, start_time } = await stuck()
        t.match(await resolve(id, { outcome: 'confirmed' }), {
          status: 400,
          body: { code: 'validation_failed', errors: [{ pointer: '#/calendly_invitee' }] }
        })
        const invitee = await bookByHand(start_time, id)
        t.match(await resolve(id, { outcome: 'confirmed' }), {
          status: 200,
          body: { status: 'confirmed', calendly: { invitee } }
        })
      }
    )

    t.test('somebody else’s invitee does not fit', async (t) => {
      const { id, start_time } = await stuck()
      const calendly_invitee = await bookByHand(start_time, id, 'eve@example.com')
      for (const wrong of [calendly_invitee, `${calendly_invitee}X`, 'https://example.com/', 'x']) {
        t.match(await resolve(id, { outcome: 'confirmed', calendly_invitee: wrong }), {
          status: 400,
          body: { code: 'validation_failed', errors: [{ pointer: '#/calendly_invitee' }] }
        })
      }
      t.match(await resolve(id, { outcome: 'rejected' }), { status: 200, body: { status: 'rejected' } })
    })

    t.test('rejected gives its time back, and a key replays the answer', async (t) => {
      const { id, start_time } = await stuck()
      t.equal((await book(service, { start_time })).status, 409)
      const idempotencyKey = randomUUID()
      const first = await resolve(id, { outcome: 'rejected' }, { idempotencyKey })
      t.match(first, { status: 200, body: { status: 'rejected' } })
      const second = await resolve(id, { outcome: 'rejected' }, { idempotencyKey })
      t.match(second, { headers: { 'idempotent-replayed': 'true' }, text: first.text })
      t.ok((await freeTimes(service)).includes(start_time))
      t.equal((await book(service, { start_time })).status, 201)
    })

    t.test('what needs nobody, what is not there and what makes no sense is refused', async (t) => {
      const { body } = await book(service)
      t.match(await resolve(body.id, { outcome: 'rejected' }), { status: 409 })
      t.match(await resolve(body.id, { outcome: 'confirmed' }), {
        status: 200,
        body: { version: body.version }
      })
      t.match(await resolve('bkg_unknown', { outcome: 'rejected' }), { status: 404 })
      for (const wrong of [
        {},
        { outcome: 'canceled' },
        { outcome: 'rejected', calendly_invitee: 'x' },
        { outcome: 'confirmed', note: 'x' }
      ]) {
        t.match(await resolve(body.id, wrong), { status: 400, body: { code: 'validation_failed' } })
      }
    })

    t.test('it takes an operator', async (t) => {
      const body = { name: 'shop', scopes: ['bookings:write'] }
      const { key } = (await call('POST', '/api/v1/caller-keys', { body })).body
      t.match(await resolve('bkg_unknown', { outcome: 'rejected' }, { key }), { status: 403 })
    })
  })
}
