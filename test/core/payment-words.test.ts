import { type Kysely, sql } from 'kysely'
import t from 'tap'
import type { PaymentFact } from '../../src/core/calendly.ts'
import type { RefundTask } from '../../src/core/payment-task.ts'
import type { Tables } from '../../src/database/tables.ts'
import { engines, openTestEngine } from '../support/database.ts'
import { inviteeUri, tuesday } from '../support/samples.ts'
import { type Fact, inEveryOrder, liveOf, tellingOf, worldOf } from './support/chains.ts'

// Hundreds of orders, on machines that do other things besides.
t.setTimeout(600_000)

const payment: PaymentFact = {
  externalId: 'ch_first',
  provider: 'stripe',
  amount: '50.00',
  currency: 'USD',
  successful: true
}

/** Who tells of the payment. */
const tellers: readonly { told: string; by: (fact: Fact) => PaymentFact | undefined }[] = [
  { told: 'by the first invitee alone', by: ({ invitee }) => isOf(invitee.uri, 'A') },
  { told: 'by every invitee', by: () => payment },
  {
    told: 'by the last word of the first invitee',
    by: ({ name }) => (name === 'canceled A' ? payment : undefined)
  },
  {
    told: 'as failed by the first word and as made by the others',
    by: ({ name }) => ({ ...payment, successful: name !== 'created A' })
  }
]
const isOf = (uri: string, name: string) => (uri === inviteeUri(name) ? payment : undefined)

type Task = { booking_id: string; kind: string; details: RefundTask }

async function tasksOf(db: Kysely<Tables>): Promise<Task[]> {
  const { rows } = await sql<Task>`select booking_id, kind, details from payment_tasks`.execute(db)
  return rows
}

async function faultsIn(db: Kysely<Tables>, heard: readonly Fact[], places: string): Promise<string[]> {
  const world = await worldOf(db)
  const tasks = await tasksOf(db)
  const refunds = tasks.filter(({ kind }) => kind === 'refund')
  const isPaid = heard.some(({ invitee }) => invitee.payment?.successful)
  const isCanceled = heard.some(({ name }) => name === `canceled ${places.at(-1)}`)
  const isWhole = heard.length === places.length * 2
  const live = liveOf(world)
  const [booking] = live
  const checks: [string, boolean][] = [
    ['no refund before its cancellation', isCanceled || refunds.length === 0],
    ['at most one refund', refunds.length <= 1],
    [
      'a refund only of what is canceled, and of no part of another',
      refunds.every(({ booking_id }) =>
        live.some(({ id, status }) => id === booking_id && status === 'canceled')
      )
    ],
    ['of the whole there is one booking', !isWhole || live.length === 1],
    [
      'the whole is paid',
      !isWhole || (booking?.payment as PaymentFact | undefined)?.externalId === 'ch_first'
    ],
    [
      'once canceled and paid its refund is due',
      !isWhole || refunds.length === (isCanceled && isPaid ? 1 : 0)
    ],
    [
      'the moment is that of the cancellation',
      refunds.every(({ details }) => details.at === tuesday - 1_000 && details.cancelerType === 'invitee')
    ]
  ]
  const words = heard.map(({ name }) => name).join(', ')
  return checks.flatMap(([claim, holds]) => (holds ? [] : [`${words}: ${claim}`]))
}

for (const engine of engines) {
  t.test(`a paid booking on ${engine}`, async (t) => {
    const opened = await openTestEngine(t, engine)

    for (const places of ['A', 'AB', 'ABC']) {
      // Of three places there are 720 orders: once is enough.
      const isLong = places.length === 3
      if (isLong && engine !== 'embedded') continue
      for (const { told, by } of isLong ? tellers.slice(0, 1) : tellers) {
        t.test(
          `of ${places.length} places, told of ${told}, is refunded once, whatever comes first`,
          async (t) => {
            const facts = tellingOf(places).map((fact) => ({
              ...fact,
              invitee: { ...fact.invitee, payment: by(fact) }
            }))
            const faults: string[] = []
            let ends = 0
            await inEveryOrder(
              opened,
              facts,
              async () => {},
              async (heard, db, tell) => {
                faults.push(...(await faultsIn(db, heard, places)))
                if (heard.length < facts.length || ends++ % 8 !== 0) return
                for (const fact of facts) await tell(fact)
                faults.push(...(await faultsIn(db, heard, places)).map((fault) => `again, ${fault}`))
              }
            )
            t.same(faults.slice(0, 5), [])
          }
        )
      }
    }

    t.test('that is only rescheduled is refunded never', async (t) => {
      const facts = tellingOf('ABC', { isCanceled: false, of: { payment } })
      const found: unknown[] = []
      await inEveryOrder(
        opened,
        facts,
        async () => {},
        async (_heard, db) => {
          found.push(...(await tasksOf(db)).filter(({ kind }) => kind === 'refund'))
        }
      )
      t.same(found, [])
    })
  })
}
