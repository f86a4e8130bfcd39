import t from 'tap'
import { standard } from '../../src/sandbox/standard.ts'
import { engines } from '../support/database.ts'
import { openService } from '../support/service.ts'
import { movableSystem } from '../support/system.ts'
import { book, bookings, cancel, eventTypes, hourMs } from './support/client.ts'

const { thirtyMinutes, workshop, introCall } = eventTypes
const person = (name: string) => ({
  name,
  email: `${name}@Example.com`,
  timezone: 'Europe/Berlin'
})

for (const engine of engines) {
  t.test(`the list of bookings (${engine})`, async (t) => {
    const system = movableSystem()
    const service = await openService(t, { engine, system, sandbox: { now: system.now } })
    const { call, control } = service
    const made: { id: string; start_time: string; name: string }[] = []
    for (const [name, fields] of [
      ['first', { event_type: thirtyMinutes, invitee: person('ann') }],
      ['second', { event_type: introCall, invitee: person('ben') }],
      ['third', { event_type: workshop, invitee: person('ann') }],
      ['fourth', { event_type: thirtyMinutes, invitee: person('cid') }]
    ] as const) {
      const { body } = await book(service, { ...fields, session_id: name })
      made.push({ id: body.id, start_time: body.start_time, name })
    }
    const [first, , third, fourth] = made
    await cancel(service, String(fourth?.id))
    await control('POST', '/faults', {
      match: { method: 'POST', path: '/invitees' },
      kind: 'status',
      status: 500,
      times: 1
    })
    await book(service, { event_type: introCall, invitee: person('dot'), session_id: 'fifth' })
    const found = async (filter: string) =>
      (await bookings(service, filter)).map(({ session_id }) => session_id)

    t.test('it is newest first, and ids sort by time', async (t) => {
      t.same(await found(''), ['fifth', 'fourth', 'third', 'second', 'first'])
      const ids = (await bookings(service)).map(({ id }) => id)
      t.same(ids, ids.toSorted().reverse())
    })

    const uri = encodeURIComponent(thirtyMinutes)
    const { ada, noah } = standard.users
    const filters: [string, string[]][] = [
      ['status=confirmed', ['third', 'second', 'first']],
      ['status=canceled', ['fourth']],
      ['status=unknown', ['fifth']],
      ['status=pending', []],
      [`event_type=${uri}`, ['fourth', 'first']],
      [`event_type=${thirtyMinutes}`, ['fourth', 'first']],
      [`event_type=${thirtyMinutes.slice(thirtyMinutes.lastIndexOf('/') + 1)}`, ['fourth', 'first']],
      ['event_type=NOSUCHTYPE234567', []],
      [`host=${encodeURIComponent(noah)}`, ['fifth', 'second']],
      [`host=${encodeURIComponent(ada)}&status=confirmed`, ['third', 'first']],
      ['invitee_email=ann@example.com', ['third', 'first']],
      ['invitee_email=ANN@EXAMPLE.COM', ['third', 'first']],
      [`invitee_email=ann@example.com&event_type=${uri}`, ['first']]
    ]
    for (const [filter, names] of filters) {
      t.test(`${decodeURIComponent(filter)} finds what fits`, async (t) => {
        t.same(await found(filter), names)
      })
    }

    t.test('a range of start times counts its beginning in and its end out', async (t) => {
      const start = String(third?.start_time)
      const names = new Set(made.filter(({ start_time }) => start_time === start).map(({ name }) => name))
      const later = new Date(Date.parse(start) + 1).toISOString()
      const within = await found(`start_time_from=${start}&start_time_to=${later}`)
      t.same(new Set(within.filter((name) => name !== 'fifth')), names)
      t.same(await found(`start_time_from=${start}&start_time_to=${start}`), [])
    })

    t.test('pages of any size hold every booking once, in order', async (t) => {
      for (const limit of [1, 2, 3, 5, 200]) {
        const walked: string[] = []
        let cursor: string | null = null
        do {
          const at: string = cursor === null ? '' : `&cursor=${cursor}`
          const { body } = await call('GET', `/api/v1/bookings?limit=${limit}${at}`)
          t.ok(body.data.length <= limit)
          walked.push(...body.data.map(({ session_id }: { session_id: string }) => session_id))
          cursor = body.next_cursor
        } while (cursor !== null)
        t.same(walked, ['fifth', 'fourth', 'third', 'second', 'first'], `pages of ${limit}`)
      }
    })

    t.test('a booking made meanwhile moves no page', async (t) => {
      const page = (await call('GET', '/api/v1/bookings?limit=2')).body
      await book(service, { session_id: 'sixth', event_type: introCall })
      const next = (await call('GET', `/api/v1/bookings?limit=2&cursor=${page.next_cursor}`)).body
      t.same(
        next.data.map(({ session_id }: { session_id: string }) => session_id),
        ['third', 'second']
      )
    })

    t.test('a cursor that we did not make is refused', async (t) => {
      const { next_cursor: cursor } = (await call('GET', '/api/v1/bookings?limit=1')).body
      const flipped = `${cursor.slice(0, -1)}${cursor.endsWith('A') ? 'B' : 'A'}`
      for (const tampered of ['AAAA', flipped, `${cursor}A`, cursor.slice(4), `${cursor}%20`]) {
        t.match(
          await call('GET', `/api/v1/bookings?cursor=${tampered}`),
          { status: 400, body: { code: 'invalid_cursor' } },
          tampered
        )
      }
    })

    t.test('what is no filter is refused by its name', async (t) => {
      for (const [query, pointer] of [
        ['limit=0', '#/limit'],
        ['limit=201', '#/limit'],
        ['limit=ten', '#/limit'],
        ['status=done', '#/status'],
        ['start_time_from=tomorrow', '#/start_time_from'],
        ['state=confirmed', '#/state']
      ] as const) {
        t.match(
          await call('GET', `/api/v1/bookings?${query}`),
          { status: 400, body: { code: 'validation_failed', errors: [{ pointer }] } },
          query
        )
      }
    })

    t.test('a confirmed booking is completed once its end has passed', async (t) => {
      system.moveTo(Date.parse(String(third?.start_time)) + 24 * hourMs * 40)
      t.same(await found('status=completed&invitee_email=ann@example.com'), ['third', 'first'])
      t.same(await found('status=confirmed'), [])
      t.same(await found('status=canceled'), ['fourth'])
      t.equal((await call('GET', `/api/v1/bookings/${first?.id}`)).body.status, 'completed')
    })
  })
}
