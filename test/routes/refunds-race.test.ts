import { randomUUID } from 'node:crypto'
import t from 'tap'
import { Agent, request } from 'undici'
import { engines } from '../support/database.ts'
import { moneyHolds } from '../support/money.ts'
import { type Answer, adminKey, until } from '../support/service.ts'
import { cancel, read, timelineOf } from './support/client.ts'
import { openPaid, refundsOf } from './support/paid.ts'

t.setTimeout(600_000)

type Body = Answer['body']
const range = (count: number) => Array.from({ length: count }, (_, n) => n)
const sum = (refunds: Body[]) => refunds.reduce((total, { amount }) => total + amount, 0)

for (const engine of engines) {
  t.test(`refunds at once (${engine})`, async (t) => {
    const { service, stripe, paid, refund } = await openPaid(t, { engine })
    const { call, control, address } = service
    const dispatcher = new Agent({ connections: 64 })
    t.teardown(() => dispatcher.close())
    t.afterEach(() => control('DELETE', '/faults'))

    const atStripe = async (charge: string): Promise<Body[]> =>
      (await stripe('GET', '/state')).refunds.filter((one: Body) => one.charge === charge)

    async function ask(booking_id: string, amount: number): Promise<{ status: number; code?: string }> {
      const { statusCode, body } = await request(`${address}/api/v1/refunds`, {
        method: 'POST',
        headers: {
          ...{ authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
          'idempotency-key': randomUUID()
        },
        body: JSON.stringify({ booking_id, amount }),
        dispatcher
      })
      const { code } = (await body.json()) as { code?: string }
      return { status: statusCode, ...(code !== undefined && { code }) }
    }

    /** Also of what a cancellation is due. */
    const untilEnded = (id: string) =>
      until(
        async () => [await refundsOf(service, id), await timelineOf(service, id)] as const,
        ([refunds, timeline]) =>
          refunds.every(({ status }) => status === 'succeeded' || status === 'failed') &&
          (timeline.includes('refund_not_due') || refunds.some(({ trigger }) => trigger === 'cancellation'))
      )

    // One process has the embedded engine to itself, and one transaction at a time.
    const asked = engine === 'embedded' ? 250 : 1_000
    t.test(`of ${asked} of a hundredth 100 are made, however often Stripe asks for patience`, async (t) => {
      const { id, charge } = await paid()
      await control('POST', '/faults', {
        match: { method: 'POST', path: '/v1/refunds' },
        ...{ kind: 'rate_limit', reset_seconds: 0, probability: 0.3, times: 40 }
      })
      const answers = await Promise.all(range(asked).map(() => ask(id, 50)))
      const counted = Object.groupBy(answers, ({ status, code = '' }) => `${status} ${code}`)
      t.same(
        Object.fromEntries(Object.entries(counted).map(([kind, all]) => [kind, all?.length])),
        { '201 ': 100, '422 refund_exceeds_charge': asked - 100 },
        'and nobody else is sent away'
      )
      const ended = async () =>
        (await call('GET', `/api/v1/refunds?booking_id=${id}&limit=200&status=succeeded`)).body.data
      const done: Body[] = await until(ended, ({ length }) => length === 100)
      const made = await atStripe(charge)
      t.equal(sum(made), 5_000)
      t.same(new Set(made.map(({ metadata }) => metadata.refund_id)), new Set(done.map(({ id }) => id)))
      t.match((await read(service, id)).body.payment, { amount: 5_000, refunded_amount: 5_000 })
      await moneyHolds(t, service)
    })

    t.test('a cancellation, refunds and one in Stripe itself give back no more than was paid', async (t) => {
      for (const turn of range(5)) {
        const { id, charge } = await paid()
        const [canceled, , ...answers] = await Promise.all([
          cancel(service, id),
          stripe('POST', '/refunds', { charge, amount: 700 }),
          ...range(20).map(() => refund(id, { amount: 400 + turn }))
        ])
        t.match(canceled, { status: /^20[02]$/ })
        for (const { status, body } of answers) {
          t.ok(status === 201 || ['refund_exceeds_charge'].includes(body.code), `${status} ${body.code}`)
        }
        await untilEnded(id)
        const made = (await atStripe(charge)).filter(({ status }) => status === 'succeeded')
        t.ok(sum(made) <= 5_000, `${sum(made)} of 5000`)
        await moneyHolds(t, service)
        t.equal(sum((await refundsOf(service, id)).filter(({ status }) => status === 'succeeded')), sum(made))
      }
    })
  })
}
