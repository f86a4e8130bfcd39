import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import type { Delivery } from '../../src/core/deliveries.ts'
import type { InboxTables } from '../../src/core/inbox.ts'
import { findDelivery, inboxState, insertDelivery } from '../../src/database/deliveries.ts'
import { tablesOf } from '../../src/plugins/database.ts'
import { engines, openTestEngine } from '../support/database.ts'
import { minuteMs, tuesday } from '../support/samples.ts'

/** A delivery named `name`; bodies differ with names. */
function delivery(name: string, changes: Partial<Delivery> = {}): Required<Delivery> {
  const body = Buffer.from(`{"name":"${name}"}`)
  return {
    id: `dlv_${name}`,
    tenantId: 'default',
    slot: 'slot-1',
    body,
    digest: createHash('sha256').update(body).digest(),
    event: 'invitee.created',
    signedAt: tuesday,
    status: 'received',
    reason: '',
    attempts: 0,
    ...changes
  } as Required<Delivery>
}

for (const kind of engines) {
  t.test(`deliveries on ${kind}`, async (t) => {
    const { db, transaction } = await openTestEngine(t, kind)
    const inInbox = <T>(work: (deliveries: InboxTables['deliveries']) => Promise<T>) =>
      transaction((tx) => work(tablesOf(tx).deliveries))
    const due = (name: string, secondsAgo: number) =>
      sql`update deliveries set due_at = now() - ${secondsAgo} * interval '1 second' where id = ${`dlv_${name}`}`.execute(
        db
      )
    const take = async () => (await inInbox((deliveries) => deliveries.takeDue()))?.id
    t.beforeEach(async () => {
      await sql`delete from deliveries`.execute(db)
    })

    t.test('come back byte for byte', async (t) => {
      const body = Buffer.from([0, 1, 255, 13, 10, 0x5c])
      const kept = delivery('whole', { body })
      t.equal(await insertDelivery(db, kept), true)
      t.same(await inInbox((deliveries) => deliveries.takeDue()), kept)
    })

    t.test('are kept once however often the same bytes come', async (t) => {
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, n) => insertDelivery(db, delivery('copy', { id: `dlv_${n}` })))
      )
      t.equal(results.filter(Boolean).length, 1)
      t.equal((await inboxState(db)).waiting, 1)
    })

    t.test('of another tenant are no copies', async (t) => {
      await sql`insert into tenants (id, name) values ('other', 'other')`.execute(db)
      t.equal(await insertDelivery(db, delivery('a')), true)
      t.equal(await insertDelivery(db, delivery('a', { id: 'dlv_b', tenantId: 'other' })), true)
    })

    t.test('are found by their digest with what became of them', async (t) => {
      const late = delivery('late', { status: 'quarantined', reason: 'stale' })
      await insertDelivery(db, late)
      t.same(await findDelivery(db, 'default', late.digest), { status: 'quarantined', reason: 'stale' })
      t.equal(await findDelivery(db, 'other', late.digest), undefined)
      await inInbox((deliveries) => deliveries.settle(late.id, 'processed'))
      t.same(await findDelivery(db, 'default', late.digest), { status: 'processed', reason: undefined })
    })

    t.test('are taken in the order in which they are due, each until it is settled', async (t) => {
      for (const [name, secondsAgo] of [
        ['b', 10],
        ['a', 20],
        ['later', -60]
      ] as const) {
        await insertDelivery(db, delivery(name))
        await due(name, secondsAgo)
      }
      t.equal(await take(), 'dlv_a')
      t.equal(await take(), 'dlv_a', 'since nothing was said of it')
      await inInbox((deliveries) => deliveries.settle('dlv_a', 'processed'))
      t.equal(await take(), 'dlv_b')
      await inInbox((deliveries) => deliveries.settle('dlv_b', 'processed'))
      t.equal(await take(), undefined)
    })

    t.test('that fail come back later with their attempts counted, and at last are dead', async (t) => {
      await insertDelivery(db, delivery('bad'))
      await inInbox((deliveries) => deliveries.fail('dlv_bad', 'boom', minuteMs))
      t.equal(await take(), undefined)
      await due('bad', 1)
      t.match(await inInbox((deliveries) => deliveries.takeDue()), {
        attempts: 1,
        reason: 'boom',
        status: 'received'
      })
      await inInbox((deliveries) => deliveries.fail('dlv_bad', 'boom again', undefined))
      await due('bad', 1)
      t.equal(await take(), undefined)
      t.match(await findDelivery(db, 'default', delivery('bad').digest), {
        status: 'dead',
        reason: 'boom again'
      })
      t.match(await inboxState(db), { waiting: 0, dead: 1 })
    })

    t.test('that are stale are leased to one, and what cannot be read to nobody', async (t) => {
      await insertDelivery(db, delivery('stale', { status: 'quarantined', reason: 'stale' }))
      await insertDelivery(db, delivery('noise', { status: 'quarantined', reason: 'unreadable' }))
      const takeStale = () => inInbox((deliveries) => deliveries.takeStale(minuteMs))
      const taken = await Promise.all([takeStale(), takeStale(), takeStale()])
      t.same(
        taken.flatMap((found) => found?.id ?? []),
        ['dlv_stale']
      )
      t.equal(await take(), undefined, 'and are not for the inbox')
      await due('stale', 1)
      await inInbox((deliveries) => deliveries.settle('dlv_stale', 'quarantined', 'subject_not_found'))
      t.equal(await takeStale(), undefined)
    })

    t.test('tell how many wait, for how long, and when the last one came', async (t) => {
      t.same(await inboxState(db), { waiting: 0, dead: 0, lagMs: 0, lastReceivedAt: undefined })
      await insertDelivery(db, delivery('a'))
      await insertDelivery(db, delivery('b'))
      await sql`update deliveries set received_at = now() - interval '90 seconds' where id = 'dlv_a'`.execute(
        db
      )
      const { waiting, lagMs, lastReceivedAt = 0 } = await inboxState(db)
      t.equal(waiting, 2)
      t.ok(lagMs >= 90_000)
      t.ok(lastReceivedAt > Date.now() - 90_000)
    })

    // On one connection nobody works beside another.
    if (kind === 'embedded') return
    t.test('are worked on side by side: one in hand keeps nobody from the next', async (t) => {
      await insertDelivery(db, delivery('a'))
      await insertDelivery(db, delivery('b'))
      await due('a', 10)
      const [inHand, done] = [Promise.withResolvers<Delivery | undefined>(), Promise.withResolvers<void>()]
      const working = inInbox(async (deliveries) => {
        inHand.resolve(await deliveries.takeDue())
        await done.promise
      })
      t.match(await inHand.promise, { id: 'dlv_a' })
      t.equal(await take(), 'dlv_b')
      done.resolve()
      await working
    })
  })
}
