import { createHmac } from 'node:crypto'
import t from 'tap'
import { standard } from '../../src/sandbox/standard.ts'
import { engines } from '../support/database.ts'
import { openService } from '../support/service.ts'
import { webhookBody } from '../support/webhook.ts'
import { availability, book, bookingBody, deliver, everything } from './support/client.ts'

const instants = ['0000-01-01T00:00:00Z', '9999-12-31T23:59:59-10:00', '9999-12-31T23:45:00Z']

for (const engine of engines) {
  t.test(`moments that no database can hold are refused and change nothing (${engine})`, async (t) => {
    const service = await openService(t, { engine })
    const body = await bookingBody(service)
    const before = await everything(service)

    for (const instant of instants) {
      t.test(`${instant} is a 400`, async (t) => {
        const refused = (pointer: string) => ({
          status: 400,
          body: { code: 'validation_failed', errors: [{ pointer }] }
        })
        const query = encodeURIComponent(instant)
        for (const name of ['start_time', 'end_time']) {
          t.match(await availability(service, { [name]: instant }), refused(`#/${name}`))
        }
        for (const name of ['start_time_from', 'start_time_to']) {
          t.match(await service.call('GET', `/api/v1/bookings?${name}=${query}`), refused(`#/${name}`))
        }
        t.match(await book(service, { ...body, start_time: instant }), refused('#/start_time'))
        t.same(await everything(service), before)
      })
    }

    t.test(
      'a webhook signed for a second of the year 33658 is a 401, however right its signature',
      async (t) => {
        const delivery = webhookBody({ id: 'FUTURE' })
        const seconds = '999999999999'
        const signature = createHmac('sha256', standard.signingKey)
          .update(`${seconds}.${delivery}`)
          .digest('hex')
        t.match(await deliver(service, delivery, `t=${seconds},v1=${signature}`), {
          status: 401,
          body: { code: 'invalid_signature' }
        })
        t.same(await everything(service), before)
        t.equal(
          (await deliver(service, delivery)).status,
          204,
          'which its proper signature does not suffer for'
        )
      }
    )
  })
}
