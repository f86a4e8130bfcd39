import t from 'tap'
import { uriOf } from '../../src/sandbox/identifiers.ts'
import { standardSeed } from '../../src/sandbox/standard.ts'
import { engines } from '../support/database.ts'
import { openService } from '../support/service.ts'
import { asked, eventTypes } from './support/client.ts'

// More than a page of Calendly's, which is 20 unless asked otherwise and 100 at most.
const many = Array.from({ length: 130 }, (_, index) => ({
  id: `MANY${index}`,
  host: 'ADAHOSTBERLIN234',
  name: `Many ${index}`,
  slug: `many-${index}`
}))

for (const engine of engines) {
  t.test(`event types (${engine})`, async (t) => {
    const service = await openService(t, {
      engine,
      sandbox: { seed: { ...standardSeed, event_types: [...standardSeed.event_types, ...many] } }
    })
    const { call, control } = service
    const get = (id: string) => call('GET', `/api/v1/event-types/${id}`)

    t.test("the list unites the organisation's and the user's, all pages, each once", async (t) => {
      const { status, body } = await call('GET', '/api/v1/event-types')
      const uris = body.data.map(({ uri }: { uri: string }) => uri)
      const { studioVisit: _, ...ofTheOrganization } = eventTypes
      const expected = Object.values(ofTheOrganization).concat(many.map(({ id }) => uriOf('event_types', id)))
      t.equal(status, 200)
      t.equal(body.next_cursor, null)
      t.same(uris.toSorted(), expected.toSorted())
      const owners = (await asked(service, 'GET', /^\/event_types$/)).map(
        ({ query }: { query: Record<string, string> }) => (query.organization ? 'organization' : 'user')
      )
      t.same([...new Set(owners)].sort(), ['organization', 'user'])
    })

    t.test('one is found by its URI and by its last segment, percent-encoded or not', async (t) => {
      const uri = eventTypes.consultation
      const encodedSegment = Array.from('CONSULTATION2345', (c) => `%${c.charCodeAt(0).toString(16)}`).join(
        ''
      )
      for (const id of ['CONSULTATION2345', encodedSegment, encodeURIComponent(uri)]) {
        t.match(await get(id), { status: 200, body: { uri, name: 'Consultation' } }, id)
      }
    })

    t.test('it tells everything that a booking has to answer', async (t) => {
      t.match((await get('CONSULTATION2345')).body, {
        active: true,
        duration: 30,
        kind: 'solo',
        is_paid: false,
        scheduling_url: 'https://calendly.com/ada-berger/consultation',
        profile: { type: 'User', name: 'Ada Berger' },
        custom_questions: [
          { name: 'Company name', type: 'string', position: 0, required: true, enabled: true },
          { name: 'What would you like to discuss?', required: false },
          { name: 'Phone Number', type: 'phone_number' },
          { name: 'Team size', answer_choices: ['1-10', '11-100', 'More than 100'] },
          { name: 'Topics', type: 'multi_select', include_other: true }
        ],
        locations: [
          { kind: 'zoom_conference' },
          { kind: 'physical', location: 'Torstrasse 1, Berlin', additional_info: 'Second floor' },
          { kind: 'outbound_call' }
        ],
        created_at: /Z$/,
        updated_at: /Z$/
      })
    })

    t.test('an unknown one is a 404, and so is what cannot be the id of one', async (t) => {
      for (const id of [
        'NOSUCHTYPE234567',
        encodeURIComponent('https://example.com/event_types/A'),
        '..%2f'
      ]) {
        t.match(await get(id), { status: 404, body: { code: 'event_type_not_found' } }, id)
      }
    })

    t.test('Calendly is spoken to as it allows', async (t) => {
      t.same((await control('GET', '/violations')).violations, [])
    })
  })

  t.test(`time zones (${engine})`, async (t) => {
    const { call } = await openService(t, { engine, sandbox: null })
    const zonesAt = async (at?: string) => {
      const query = at === undefined ? '' : `?at=${encodeURIComponent(at)}`
      const { status, body } = await call('GET', `/api/v1/timezones${query}`)
      t.equal(status, 200)
      return new Map<string, Record<string, unknown>>(
        body.data.map((zone: { name: string }) => [zone.name, zone])
      )
    }

    t.test('every zone is listed as it stands at the asked moment', async (t) => {
      const winter = await zonesAt('2026-12-01T12:00:00Z')
      const summer = await zonesAt('2026-07-01T14:00:00+02:00')
      t.ok(winter.size > 400)
      t.match(winter.get('Europe/Berlin'), { offset_minutes: 60 })
      t.match(summer.get('Europe/Berlin'), { offset_minutes: 120 })
      t.match(winter.get('America/New_York'), { offset_minutes: -300, abbreviation: 'EST' })
      t.match(summer.get('America/New_York'), { offset_minutes: -240, abbreviation: 'EDT' })
      t.match(winter.get('Asia/Kathmandu') ?? winter.get('Asia/Katmandu'), { offset_minutes: 345 })
      t.match(winter.get('UTC'), { offset_minutes: 0 })
    })

    t.test('the change to summer time counts from its very second', async (t) => {
      t.match((await zonesAt('2027-03-28T00:59:59Z')).get('Europe/Berlin'), { offset_minutes: 60 })
      t.match((await zonesAt('2027-03-28T01:00:00Z')).get('Europe/Berlin'), { offset_minutes: 120 })
    })

    t.test('without a moment it is now', async (t) => {
      t.match((await zonesAt()).get('Asia/Tokyo'), { offset_minutes: 540 })
    })

    t.test('a moment without its offset is refused', async (t) => {
      t.match(await call('GET', '/api/v1/timezones?at=2026-12-01T12:00:00'), {
        status: 400,
        body: { code: 'local_time', errors: [{ pointer: '#/at' }] }
      })
    })
  })
}
