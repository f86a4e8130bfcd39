import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import type { Delivery } from '../../src/core/deliveries.ts'
import type { InboxTables } from '../../src/core/inbox.ts'
import { believeDelivery, findDelivery, inboxState, insertDeliveries } from '../../src/database/deliveries.ts'
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
    subject: `https://api.calendly.com/${name}`,
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
    const insertDelivery = async (delivery: Delivery) =>
      (await insertDeliveries(db, [delivery])).has(delivery.id)
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
      t.equal(await insertDelivery(kept), true)
      t.same(await inInbox((deliveries) => deliveries.takeDue()), kept)
    })

    t.test('are kept once however often the same bytes come', async (t) => {
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, n) => insertDelivery(delivery('copy', { id: `dlv_${n}` })))
      )
      t.equal(results.filter(Boolean).length, 1)
      t.equal((await inboxState(db)).waiting, 1)
    })

    t.test('of another tenant are no copies', async (t) => {
      await sql`insert into tenants (id, name) values ('other', 'other')`.execute(db)
      t.equal(await insertDelivery(delivery('a')), true)
      t.equal(await insertDelivery(delivery('a', { id: 'dlv_b', tenantId: 'other' })), true)
    })

    t.test('are found by their digest with what became of them', async (t) => {
      const late = delivery('late', { status: 'quarantined', reason: 'stale' })
      await insertDelivery(late)
      t.same(await findDelivery(db, 'default', late.digest), { status: 'quarantined', reason: 'stale' })
      t.equal(await findDelivery(db, 'other', late.digest), undefined)
      await inInbox((deliveries) => deliveries.settle(late, 'processed'))
      t.same(await findDelivery(db, 'default', late.digest), { status: 'processed', reason: undefined })
    })

    t.test('are taken in the order in which they are due, each until it is settled', async (t) => {
      for (const [name, secondsAgo] of [
        ['b', 10],
        ['a', 20],
        ['later', -60]
      ] as const) {
        await insertDelivery(delivery(name))
        await due(name, secondsAgo)
      }
      t.equal(await take(), 'dlv_a')
      t.equal(await take(), 'dlv_a', 'since nothing was said of it')
      await inInbox((deliveries) => deliveries.settle(delivery('a'), 'processed'))
      t.equal(await take(), 'dlv_b')
      await inInbox((deliveries) => deliveries.settle(delivery('b'), 'processed'))
      t.equal(await take(), undefined)
    })

    t.test('that fail come back later with their attempts counted, and at last are dead', async (t) => {
      await insertDelivery(delivery('bad'))
      await inInbox((deliveries) => deliveries.fail(delivery('bad'), 'boom', minuteMs))
      t.equal(await take(), undefined)
      await due('bad', 1)
      t.match(await inInbox((deliveries) => deliveries.takeDue()), {
        attempts: 1,
        reason: 'boom',
        status: 'received'
      })
      const again = delivery('bad', { attempts: 1 })
      await inInbox((deliveries) => deliveries.fail(again, 'boom again', undefined))
      await due('bad', 1)
      t.equal(await take(), undefined)
      t.match(await findDelivery(db, 'default', delivery('bad').digest), {
        status: 'dead',
        reason: 'boom again'
      })
      t.match(await inboxState(db), { waiting: 0, dead: 1 })
    })

    t.test('that somebody else has dealt with meanwhile stay as they are', async (t) => {
      await insertDelivery(delivery('bad'))
      await inInbox((deliveries) => deliveries.settle(delivery('bad'), 'processed'))
      for (const retryInMs of [minuteMs, undefined]) {
        await inInbox((deliveries) => deliveries.fail(delivery('bad'), 'boom', retryInMs))
        t.same(await findDelivery(db, 'default', delivery('bad').digest), {
          status: 'processed',
          reason: undefined
        })
      }
    })

    const stale = (name: string, subject: string | undefined = name) =>
      delivery(name, { status: 'quarantined', reason: 'stale', subject })
    const takeStale = async () => {
      const taken = await inInbox((deliveries) => deliveries.takeStale(minuteMs))
      return taken.map(({ id }) => id).sort()
    }

    t.test('that are stale are leased to one, and what cannot be read to nobody', async (t) => {
      await insertDelivery(stale('stale'))
      await insertDelivery(delivery('noise', { status: 'quarantined', reason: 'unreadable' }))
      const taken = await Promise.all([takeStale(), takeStale(), takeStale()])
      t.same(taken.flat(), ['dlv_stale'])
      t.equal(await take(), undefined, 'and are not for the inbox')
      await due('stale', 1)
      await inInbox((deliveries) =>
        deliveries.settlePulled(['dlv_stale'], 'quarantined', 'subject_not_found')
      )
      t.same(await takeStale(), [])
    })

    t.test('that are stale and speak of the same are taken together', async (t) => {
      for (const name of ['a1', 'a2', 'b1', 'a3']) await insertDelivery(stale(name, name.slice(0, 1)))
      await sql`insert into tenants (id, name) values ('third', 'third')`.execute(db)
      await insertDelivery({ ...stale('theirs', 'a'), tenantId: 'third' })
      await insertDelivery({ ...stale('c1'), subject: undefined })
      await insertDelivery({ ...stale('c2'), subject: undefined })
      for (const [n, name] of ['a2', 'b1', 'c1', 'c2', 'theirs'].entries()) await due(name, 10 - n)
      t.same(await takeStale(), ['dlv_a1', 'dlv_a2', 'dlv_a3'])
      t.same(await takeStale(), ['dlv_b1'])
      t.same(await takeStale(), ['dlv_c1'], 'of nothing known, each by itself')
      t.same(await takeStale(), ['dlv_c2'])
      t.same(await takeStale(), ['dlv_theirs'])
      t.same(await takeStale(), [])
    })

    t.test('that were stale are believed when they come freshly signed, and nothing else is', async (t) => {
      const names = ['stale', 'lost', 'noise', 'dead', 'done']
      await insertDelivery(stale('stale'))
      await insertDelivery(delivery('lost', { status: 'quarantined', reason: 'subject_not_found' }))
      await insertDelivery(delivery('noise', { status: 'quarantined', reason: 'unreadable' }))
      await insertDelivery(delivery('dead', { status: 'dead', reason: 'boom', attempts: 8 }))
      await insertDelivery(delivery('done'))
      await inInbox((deliveries) => deliveries.settle(delivery('done'), 'processed'))
      for (const name of names) await believeDelivery(db, 'default', delivery(name).digest)
      const became = await Promise.all(
        names.map((name) => findDelivery(db, 'default', delivery(name).digest))
      )
      t.same(became, [
        { status: 'received', reason: undefined },
        { status: 'received', reason: undefined },
        { status: 'quarantined', reason: 'unreadable' },
        { status: 'dead', reason: 'boom' },
        { status: 'processed', reason: undefined }
      ])
      t.equal(await take(), 'dlv_stale')
      await inInbox((deliveries) =>
        deliveries.settlePulled(['dlv_stale'], 'quarantined', 'subject_not_found')
      )
      t.equal(await take(), 'dlv_stale', 'a pull that comes too late takes nothing back')
    })

    t.test('tell how many wait, for how long, and when the last one came', async (t) => {
      t.same(await inboxState(db), { waiting: 0, dead: 0, lagMs: 0, lastReceivedAt: undefined })
      await insertDelivery(delivery('a'))
      await insertDelivery(delivery('b'))
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
      await insertDelivery(delivery('a'))
      await insertDelivery(delivery('b'))
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
