import { randomUUID } from 'node:crypto'
import t from 'tap'
import { request } from 'undici'
import { engines } from '../support/database.ts'
import { adminKey, openService, until } from '../support/service.ts'
import { webhookBody } from '../support/webhook.ts'
import { bookingBody, bookings, deliver, freeTimes } from './support/client.ts'

const overloaded = { status: 503, headers: { 'retry-after': /^[1-9]\d*$/ }, body: { code: 'overloaded' } }

for (const engine of engines) {
  t.test(`a service at its limit (${engine})`, async (t) => {
    const service = await openService(t, { engine, env: { MAX_IN_FLIGHT: '4' } })
    const { app, address, call, control } = service
    const times = await freeTimes(service)
    const bodies = await Promise.all(
      [times[0], times[1], times[2]].map((start_time) => bookingBody(service, { start_time }))
    )
    await control('POST', '/faults', {
      match: { method: 'POST', path: '/invitees' },
      kind: 'latency',
      latency_ms: 3_000
    })
    const hangUp = new AbortController()
    const sent = bodies.map((body) =>
      request(`${address}/api/v1/bookings`, {
        method: 'POST',
        signal: hangUp.signal,
        headers: {
          authorization: `Bearer ${adminKey}`,
          'content-type': 'application/json',
          'idempotency-key': randomUUID()
        },
        body: JSON.stringify(body)
      })
    )
    const ended = Promise.allSettled(sent)
    await until(
      () => control('GET', '/faults'),
      ({ faults: [fault] }) => fault.hits === sent.length
    )
    const connected = await connections()
    hangUp.abort()
    t.ok(
      (await ended).every(({ status }) => status === 'rejected'),
      'everybody has hung up'
    )
    await until(connections, (count) => count <= connected - sent.length)

    t.test('has no room for others while the work of those who hung up goes on', async (t) => {
      t.match(await call('GET', '/api/v1/bookings'), overloaded)
      t.match(await call('GET', '/api/v1/event-types'), overloaded)
    })

    t.test('still answers health and takes webhooks', async (t) => {
      for (const path of ['', '/live', '/ready', '/calendly']) {
        t.equal((await call('GET', `/api/health${path}`)).status, 200, path)
      }
      t.equal((await deliver(service, webhookBody({ id: 'LOADED' }))).status, 204)
    })

    t.test('has room again once that work is done', async (t) => {
      const states = async () =>
        (await bookings(service)).filter(({ source }) => source === 'api').map(({ status }) => status)
      // One that has ended makes room enough to look.
      await until(
        () => call('GET', '/api/v1/bookings'),
        ({ status }) => status === 200
      )
      await until(states, (found) => !found.includes('pending'))
      t.same(await states(), ['confirmed', 'confirmed', 'confirmed'])
    })

    function connections(): Promise<number> {
      return new Promise((resolve, reject) => {
        app.server.getConnections((error, count) => (error ? reject(error) : resolve(count)))
      })
    }
  })
}
