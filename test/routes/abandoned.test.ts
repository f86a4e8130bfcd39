import { randomUUID } from 'node:crypto'
import t from 'tap'
import { request } from 'undici'
import { engines } from '../support/database.ts'
import { adminKey, openService, type Service, until } from '../support/service.ts'
import { asked, book, bookingBody, bookings, untilStatus } from './support/client.ts'
import { hold, readHold } from './support/holds.ts'

/** Sends a booking whose answer nobody waits for; `hangUp` closes the connection under it. */
function send({ address }: Service, body: Record<string, unknown>, idempotencyKey: string) {
  const hanging = new AbortController()
  const answer = request(`${address}/api/v1/bookings`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${adminKey}`,
      'content-type': 'application/json',
      'idempotency-key': idempotencyKey
    },
    body: JSON.stringify(body),
    signal: hanging.signal
  })
  return { answer, hangUp: () => hanging.abort() }
}

for (const engine of engines) {
  t.test(`clients that hang up (${engine})`, async (t) => {
    const service = await openService(t, { engine })
    const { control } = service

    for (const isHeld of [false, true]) {
      t.test(`cancel nothing that was begun, ${isHeld ? 'with' : 'without'} a hold`, async (t) => {
        await control('DELETE', '/requests')
        const session_id = randomUUID()
        const held = isHeld ? (await hold(service)).body : undefined
        const fields = held ? { start_time: held.start_time, hold_id: held.id } : {}
        const body = await bookingBody(service, { ...fields, session_id })
        const key = randomUUID()
        await control('POST', '/faults', {
          match: { method: 'POST', path: '/invitees' },
          kind: 'latency',
          latency_ms: 300,
          times: 1
        })
        const { answer, hangUp } = send(service, body, key)
        const [begun] = await until(
          async () => (await bookings(service)).filter((booking) => booking.session_id === session_id),
          ({ length }) => length === 1
        )
        hangUp()
        await t.rejects(answer, { name: 'AbortError' })

        await untilStatus(service, begun.id, 'confirmed')
        const again = await until(
          () => book(service, body, { idempotencyKey: key }),
          (answer) => answer.body.code !== 'idempotency_in_progress'
        )
        t.match(again, {
          status: 201,
          body: { id: begun.id, status: 'confirmed' },
          headers: { 'idempotent-replayed': 'true' }
        })
        t.equal((await asked(service, 'POST', /^\/invitees$/)).length, 1)
        if (held) t.match((await readHold(service, held.id)).body, { status: 'used' })
      })
    }
  })
}
