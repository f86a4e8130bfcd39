import t from 'tap'
import { engines } from '../support/database.ts'
import { openService, until } from '../support/service.ts'
import { movableSystem } from '../support/system.ts'
import { availability, eventTypes, freeTimes, iso, slotsOf } from './support/client.ts'

for (const engine of engines) {
  t.test(`availability while Calendly is away (${engine})`, async (t) => {
    const system = movableSystem()
    const service = await openService(t, { engine, system, sandbox: { now: system.now } })
    const { control } = service
    const fail = (fault: Record<string, unknown>) => control('POST', '/faults', fault)
    /** Ends the faults, and the time for which failures and the outage itself are remembered. */
    async function recover() {
      await control('DELETE', '/faults')
      system.moveTo(system.now() + 6_000)
    }

    t.test('what was never answered is a 503 that tells nothing of the inside', async (t) => {
      await fail({ kind: 'status', status: 502, body: '<html>secret proxy 10.0.0.7</html>' })
      const answer = await availability(service)
      t.match(answer, { status: 503, body: { code: 'calendly_unavailable', status: 503 } })
      t.notMatch(answer.text, /secret|10\.0\.0\.7|502/)
      await recover()
    })

    t.test('the last known answer is served as stale, without what has passed meanwhile', async (t) => {
      const [first] = await freeTimes(service)
      const start = Date.parse(String(first))
      system.moveTo(start - 150_000)
      const query = { start_time: iso(start - 300_000), end_time: iso(start + 86_400_000) }
      const known = await availability(service, query)
      t.match(known.body, { stale: false })
      t.equal(slotsOf(known)[0].start_time, first)

      await fail({ kind: 'drop_before' })
      system.moveTo(start + 1_000)
      const stale = await availability(service, query)
      t.match(stale, { status: 200, body: { stale: true, as_of: known.body.as_of } })
      t.same(slotsOf(stale), slotsOf(known).slice(1))
      t.equal((await availability(service, { ...query, fresh: true })).body.stale, true)
    })

    t.test('an answer of a minute ago is served at once, and a newer one asked for behind it', async (t) => {
      await recover()
      const known = await availability(service, { fresh: true })
      system.moveTo(system.now() + 60_000)
      t.match(await availability(service), { status: 200, body: { stale: true, as_of: known.body.as_of } })
      await until(
        () => availability(service),
        ({ body }) => body.stale === false
      )
    })

    t.test('a refusal is news, not an outage: no old answer hides it', async (t) => {
      await recover()
      const query = { event_type: eventTypes.introCall }
      t.equal((await availability(service, query)).status, 200)
      const refuse = (status: number) =>
        fail({ match: { path: '/event_type_available_times' }, kind: 'status', status, times: 1 })
      await refuse(403)
      t.not((await availability(service, { ...query, fresh: true })).status, 200)
      system.moveTo(system.now() + 1_000)
      t.match(await availability(service, query), { status: 200, body: { stale: false } })
      await refuse(404)
      t.match(await availability(service, { ...query, fresh: true }), {
        status: 404,
        body: { code: 'event_type_not_found' }
      })
    })

    t.test('past ten minutes an old answer is none', async (t) => {
      t.equal((await availability(service, { fresh: true })).status, 200)
      await fail({ kind: 'status', status: 500 })
      system.moveTo(system.now() + 590_000)
      t.match(await availability(service), { status: 200, body: { stale: true } })
      system.moveTo(system.now() + 20_000)
      t.match(await availability(service), { status: 503, body: { code: 'calendly_unavailable' } })
    })

    t.test('Calendly coming back ends it', async (t) => {
      await recover()
      t.match(await availability(service), { status: 200, body: { stale: false } })
    })
  })
}
