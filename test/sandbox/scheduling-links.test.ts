import t from 'tap'
import { standard, standardSeed } from '../../src/sandbox/standard.ts'
import { type Booked, start } from './support/client.ts'

const { introCall, studioVisit, thirtyMinutes } = standard.eventTypes
const asking = (owner: string, change: object = {}) => ({
  max_event_count: 1,
  owner,
  owner_type: 'EventType',
  ...change
})
type Link = { resource: { booking_url: string } }

t.test('a link is good for one booking of its event type', async (t) => {
  const { post, control } = await start(t)
  const { status, body } = await post<Link>('/scheduling_links', asking(introCall))
  t.equal(status, 201)
  t.match(body, {
    resource: {
      booking_url: /^https:\/\/calendly\.com\/d\/[0-9a-f]{4}-[0-9a-f]{4}\/intro-call$/,
      owner: introCall,
      owner_type: 'EventType'
    }
  })
  const link = body.resource.booking_url
  t.match(await control<Booked>('/book', { link }), { event: { event_type: introCall, status: 'active' } })
  t.match(await post('/__sandbox/book', { link }), {
    status: 400,
    body: { message: 'This link has been used.' }
  })
  t.match(await post('/__sandbox/book', { link: `${link}x` }), { status: 404 })
  t.match(await control('/state'), { scheduling_links: [{ booking_url: link, used: true }] })
})

t.test("what stands in a link's query is filled in, and what is typed over it counts", async (t) => {
  const { post, control } = await start(t)
  const [first, second] = await Promise.all(
    [1, 2].map(
      async () => (await post<Link>('/scheduling_links', asking(introCall))).body.resource.booking_url
    )
  )
  const prefilled = 'name=Grace%20Example&email=grace%40example.com&utm_term=lnk_1&a1=x'
  t.match(await control('/book', { link: `${first}?${prefilled}` }), {
    invitee: {
      name: 'Grace Example',
      email: 'grace@example.com',
      tracking: { utm_term: 'lnk_1', utm_source: null }
    }
  })
  t.match(await control('/book', { link: `${second}?${prefilled}`, email: 'other@example.com' }), {
    invitee: { name: 'Grace Example', email: 'other@example.com' }
  })
})

t.test('a booking that fails leaves the link as it was', async (t) => {
  const { post, control } = await start(t)
  const { body } = await post<Link>('/scheduling_links', asking(introCall))
  const link = body.resource.booking_url
  const start_time = '2026-11-22T15:00:00Z'
  t.match(await post('/__sandbox/book', { link, start_time }), { status: 400 }, 'on a Sunday')
  t.match(await control('/book', { link }), { invitee: { status: 'active' } })
})

t.test('a link is refused for what Calendly makes none of', async (t) => {
  const tokens = [{ name: 'narrow', value: 'narrow-token', user: 'ADAHOSTBERLIN234', scopes: ['users:read'] }]
  const { post } = await start(t)
  t.match(await post('/scheduling_links', asking(`${introCall}0`)), { status: 404 })
  t.match(await post('/scheduling_links', asking(studioVisit)), { status: 403 })
  t.match(await post('/scheduling_links', asking(thirtyMinutes, { max_event_count: 2 })), {
    status: 400,
    body: { details: [{ parameter: 'max_event_count' }] }
  })
  t.match(await post('/scheduling_links', asking(thirtyMinutes, { owner_type: 'User' })), { status: 400 })
  const narrow = await start(t, { seed: { ...standardSeed, tokens } })
  t.match(await narrow.post('/scheduling_links', asking(thirtyMinutes)), {
    status: 403,
    body: { required_scopes: ['scheduling_links:write'] }
  })
})
