import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import type { CalendlyDelivery } from '../../src/core/calendly.ts'
import type { Delivery } from '../../src/core/deliveries.ts'
import { AppError } from '../../src/core/errors.ts'
import { createInbox } from '../../src/core/inbox.ts'
import { findDelivery, insertDeliveries } from '../../src/database/deliveries.ts'
import { aBooking, anEvent, anInvitee, host, meeting, tuesday } from '../support/samples.ts'
import { fakeSystem } from '../support/system.ts'
import { openTables } from '../support/tables.ts'

t.test('the inbox', async (t) => {
  const { db, transact, reads } = await openTables(t)
  t.beforeEach(async () => {
    for (const table of ['deliveries', 'bookings']) await sql`delete from ${sql.table(table)}`.execute(db)
  })

  /** Keeps a delivery whose body is `text`: what it says is in `messages`. */
  async function keep(text: string, changes: Partial<Delivery> = {}): Promise<Buffer> {
    const body = Buffer.from(text)
    const digest = createHash('sha256').update(body).digest()
    const delivery: Delivery = {
      id: `dlv_${text}`,
      tenantId: 'default',
      body,
      digest,
      signedAt: tuesday,
      status: 'received',
      attempts: 0,
      ...changes
    }
    await insertDeliveries(db, [delivery])
    return digest
  }
  const made = (scheduledEvent = anEvent('A')) => ({
    event: 'invitee.created',
    invitee: anInvitee('A'),
    scheduledEvent
  })
  const messages: Record<string, CalendlyDelivery> = {
    good: made(),
    bad: made(),
    other: { event: 'routing_form_submission.created' },
    changed: { event: 'event_type.updated', eventType: meeting }
  }
  const becameOf = (digest: Buffer) => findDelivery(db, 'default', digest)
  const makeDue = () => sql`update deliveries set due_at = now() where due_at is not null`.execute(db)

  /** An inbox whose facts make a booking for each good delivery and throw for a bad one. */
  function open({ fail = new Error('boom') } = {}) {
    const dropped: { eventType: string; hosts: readonly string[] }[] = []
    const droppedTypes: string[] = []
    const applied: string[] = []
    let made = 0
    const inbox = createInbox({
      system: fakeSystem(),
      transact,
      read: (body) => messages[body.toString()],
      predecessors: { find: async () => [] },
      facts: {
        apply: async (tables, tenantId, invitee, event, source) => {
          applied.push(`${source} ${invitee.uri === anInvitee('A').uri} ${event.uri === anEvent('A').uri}`)
          await tables.bookings.insert(aBooking({ id: `bkg_${++made}`, tenantId }))
          if (isBad) throw fail
        }
      },
      calendly: {
        dropAvailability: (eventType, hosts) => dropped.push({ eventType, hosts }),
        dropEventType: (eventType) => droppedTypes.push(eventType)
      },
      log: { warn: () => {}, error: () => {} }
    })
    return { ...inbox, dropped, droppedTypes, applied }
  }
  let isBad = false
  const bookings = () => reads.list('default', { limit: 9, now: 0 })

  t.test(
    'applies a delivery once, and forgets what was known of the event type’s availability',
    async (t) => {
      const digest = await keep('good')
      const { processNext, dropped } = open()
      t.equal(await processNext(), true)
      t.equal(await processNext(), false)
      t.equal((await bookings()).length, 1)
      t.match(await becameOf(digest), { status: 'processed' })
      t.same(dropped, [{ eventType: meeting, hosts: [host] }])
    }
  )

  t.test('has done with what is none of its business', async (t) => {
    const other = await keep('other')
    const { processNext, applied } = open()
    t.same([await processNext(), await processNext()], [true, false])
    t.same(applied, [])
    t.match(await becameOf(other), { status: 'processed' })
  })

  t.test('takes back all of a delivery that fails, and tries it eight times in all', async (t) => {
    isBad = true
    const digest = await keep('bad')
    const { processNext, applied } = open()
    for (let attempt = 1; attempt <= 8; attempt++) {
      t.match(await becameOf(digest), { status: 'received' }, `before attempt ${attempt}`)
      t.equal(await processNext(), true)
      t.equal(await processNext(), false, 'and not at once again')
      await makeDue()
    }
    isBad = false
    t.equal(applied.length, 8)
    t.match(await becameOf(digest), { status: 'dead', reason: 'boom' })
    t.same(await bookings(), [])
  })

  t.test('lets a bad delivery keep nobody from the next', async (t) => {
    isBad = true
    await keep('bad')
    const { processNext } = open()
    await processNext()
    isBad = false
    const digest = await keep('good')
    t.equal(await processNext(), true)
    t.match(await becameOf(digest), { status: 'processed' })
  })

  t.test('counts no attempt against a delivery when it is the database that is away', async (t) => {
    isBad = true
    const digest = await keep('bad')
    const { processNext } = open({ fail: new AppError('database_unavailable') })
    for (let n = 0; n < 9; n++) await t.rejects(processNext(), { code: 'database_unavailable' })
    isBad = false
    t.same(await becameOf(digest), { status: 'received', reason: undefined })
    t.equal(await processNext(), true)
    t.match(await becameOf(digest), { status: 'processed' })
  })

  t.test('sets aside for good what cannot be read', async (t) => {
    const digest = await keep('noise')
    const { processNext } = open()
    t.same([await processNext(), await processNext()], [true, false])
    t.match(await becameOf(digest), { status: 'quarantined', reason: 'unreadable' })
  })

  t.test('writes down what a delivery is about, whatever becomes of it', async (t) => {
    messages.good = { ...made(), subject: 'an invitee' }
    messages.bad = { ...made(), subject: 'another one' }
    await keep('good')
    const { processNext } = open()
    await processNext()
    isBad = true
    await keep('bad')
    await processNext()
    isBad = false
    const rows = await db.selectFrom('deliveries').select(['event', 'subject']).orderBy('subject').execute()
    t.same(rows, [
      { event: 'invitee.created', subject: 'an invitee' },
      { event: 'invitee.created', subject: 'another one' }
    ])
  })

  t.test('forgets what was remembered of an event type that has changed', async (t) => {
    await keep('changed')
    const { processNext, droppedTypes, applied } = open()
    await processNext()
    t.same(droppedTypes, [meeting])
    t.same(applied, [])
  })

  t.test('a pile of bad ones keeps nobody from what comes after them', async (t) => {
    isBad = true
    for (let n = 0; n < 20; n++) {
      messages[`bad-${n}`] = made()
      await keep(`bad-${n}`)
    }
    const digest = await keep('good')
    const { processNext } = open()
    for (let n = 0; n < 20; n++) await processNext()
    isBad = false
    t.equal(await processNext(), true)
    t.match(await becameOf(digest), { status: 'processed' })
  })
})
