import t from 'tap'
import { engines } from '../support/database.ts'
import { openService, type Service, until } from '../support/service.ts'
import { asked, bookings, eventTypes, untilSubscribed } from './support/client.ts'

const { thirtyMinutes } = eventTypes
const path = '/api/v1/scheduling-links'

const ask = ({ call }: Service, fields: object = {}, options: object = {}) =>
  call('POST', path, { body: { event_type: thirtyMinutes, ...fields }, ...options })
const made = async (service: Service) => (await asked(service, 'POST', /^\/scheduling_links$/)).length

for (const engine of engines) {
  t.test(`scheduling links (${engine})`, async (t) => {
    const service = await openService(t, { engine, webhooks: true })
    const { call, control } = service

    t.test("a link is Calendly's, carries our id and fills in who is invited", async (t) => {
      const invitee = { name: 'Grace Example', email: 'grace+1@example.com' }
      const { status, body } = await ask(service, {
        event_type: '2c8e6a10-94b3-4f5d-8a27-6e1d3b9c0f74',
        invitee
      })
      t.equal(status, 201)
      t.same(Object.keys(body), ['id', 'booking_url'])
      t.match(body.id, /^lnk_/)
      const { origin, pathname, search } = new URL(body.booking_url)
      const { scheduling_links } = await control('GET', '/state')
      t.same(scheduling_links, [
        { booking_url: origin + pathname, owner: thirtyMinutes, owner_type: 'EventType', used: false }
      ])
      t.equal(search, `?name=Grace%20Example&email=grace%2B1%40example.com&utm_term=${body.id}`)
    })

    t.test('each request makes a link of its own, a repeated one does not', async (t) => {
      const before = await made(service)
      const first = await ask(service, { session_id: 'journey-1' }, { idempotencyKey: 'link-1' })
      const again = await ask(service, { session_id: 'journey-1' }, { idempotencyKey: 'link-1' })
      t.match(again, { status: 201, headers: { 'idempotent-replayed': 'true' } })
      t.same(again.body, first.body)
      t.equal(await made(service), before + 1)
      const other = await ask(service)
      t.not(other.body.id, first.body.id)
      t.equal(new URL(other.body.booking_url).search, `?utm_term=${other.body.id}`)
      t.match(await ask(service, {}, { idempotencyKey: 'link-1' }), {
        status: 422,
        body: { code: 'idempotency_key_reused' }
      })
    })

    t.test('what is wrong with a request is said', async (t) => {
      const before = await made(service)
      t.match(await ask(service, { event_type: 'NOSUCHTYPE234567' }), {
        status: 404,
        body: { code: 'event_type_not_found' }
      })
      t.match(await ask(service, { invitee: { email: 'grace' }, sessionId: 'x' }), {
        status: 400,
        body: {
          code: 'validation_failed',
          errors: [{ pointer: '#/invitee/email' }, { pointer: '#/sessionId' }]
        }
      })
      const { body: key } = await call('POST', '/api/v1/caller-keys', {
        body: { name: 'reader', scopes: ['bookings:read'] }
      })
      t.match(await ask(service, {}, { key: key.key }), { status: 403, body: { code: 'insufficient_scope' } })
      t.equal(await made(service), before)
    })

    t.test('what Calendly refuses is refused in its words', async (t) => {
      const refusal = { title: 'Permission Denied', message: 'Please upgrade to a paid Calendly account.' }
      const match = { method: 'POST', path: '/scheduling_links' }
      await control('POST', '/faults', { kind: 'status', status: 403, body: refusal, times: 1, match })
      t.match(await ask(service), {
        status: 422,
        body: { code: 'calendly_rejected', detail: refusal.message }
      })
    })

    t.test('a link whose answer was lost can be asked for again with the same key', async (t) => {
      const match = { method: 'POST', path: '/scheduling_links' }
      await control('POST', '/faults', { kind: 'drop_after', times: 1, match })
      const options = { idempotencyKey: 'link-2' }
      t.match(await ask(service, {}, options), { status: 503, body: { code: 'calendly_unavailable' } })
      t.match(await ask(service, {}, options), { status: 201, body: { id: /^lnk_/ } })
    })

    t.test('whoever books through a link is known by its journey', async (t) => {
      await untilSubscribed(service)
      const invitee = { name: 'Grace Example', email: 'grace@example.com' }
      const { body: link } = await ask(service, { session_id: 'journey-1', invitee })
      await service.control('POST', '/book', { link: link.booking_url })
      const [booking] = await until(
        () => bookings(service, 'invitee_email=grace@example.com'),
        ({ length }) => length === 1
      )
      t.match(booking, {
        status: 'confirmed',
        source: 'webhook',
        session_id: 'journey-1',
        invitee: { name: 'Grace Example', email: 'grace@example.com' }
      })
    })

    t.test("somebody else's utm_term is no link of ours", async (t) => {
      await service.control('POST', '/book', {
        event_type: thirtyMinutes,
        email: 'other@example.com',
        tracking: {
          utm_campaign: null,
          utm_source: null,
          utm_medium: null,
          utm_content: null,
          utm_term: 'lnk_00000000000000000000000000',
          salesforce_uuid: null
        }
      })
      const [booking] = await until(
        () => bookings(service, 'invitee_email=other@example.com'),
        ({ length }) => length === 1
      )
      t.match(booking, { status: 'confirmed', session_id: null })
    })

    t.test('Calendly is spoken to as it allows', async (t) => {
      t.same((await control('GET', '/violations')).violations, [])
    })
  })
}
