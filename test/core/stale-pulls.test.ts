import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import type { CalendlyDelivery, EventFact, InviteeFact } from '../../src/core/calendly.ts'
import type { Delivery } from '../../src/core/deliveries.ts'
import { AppError } from '../../src/core/errors.ts'
import { createStalePulls, pullLease } from '../../src/core/stale-pulls.ts'
import { findDelivery, insertDeliveries } from '../../src/database/deliveries.ts'
import { createLeases } from '../../src/database/leases.ts'
import { aBooking, anEvent, anInvitee, host, meeting, tuesday } from '../support/samples.ts'
import { fakeSystem } from '../support/system.ts'
import { openTables } from '../support/tables.ts'

const invitee = anInvitee('A')
const about = (event: string): CalendlyDelivery => ({
  event,
  invitee: { ...invitee, name: 'as the delivery has it' },
  scheduledEvent: anEvent('A')
})
const messages: Record<string, CalendlyDelivery> = {
  created: about('invitee.created'),
  canceled: about('invitee.canceled'),
  'no-show': about('invitee_no_show.created'),
  form: { event: 'routing_form_submission.created' },
  type: { event: 'event_type.updated', eventType: meeting }
}

t.test('pulls of what stale deliveries spoke of', async (t) => {
  const { db, transact, reads } = await openTables(t)
  const leases = createLeases(db)
  t.beforeEach(async () => {
    for (const table of ['deliveries', 'invitees', 'bookings'])
      await sql`delete from ${sql.table(table)}`.execute(db)
  })
  const becameOf = (digest: Buffer) => findDelivery(db, 'default', digest)
  const makeDue = () => sql`update deliveries set due_at = now() where due_at is not null`.execute(db)

  async function keep(text: string, subject: string | undefined = invitee.uri): Promise<Buffer> {
    const body = Buffer.from(text)
    const digest = createHash('sha256').update(body).digest()
    const { event } = messages[text] ?? {}
    const delivery: Delivery = {
      ...{ id: `dlv_${text}`, tenantId: 'default', body, digest, event, subject, signedAt: tuesday },
      ...{ status: 'quarantined', reason: 'stale', attempts: 0 }
    }
    await insertDeliveries(db, [delivery])
    return digest
  }

  /** Pulls against a Calendly that knows one invitee, or nobody, or fails. */
  async function open({ knows = true }: { knows?: boolean } = {}) {
    const system = fakeSystem()
    const calls: string[] = []
    const applied: InviteeFact[] = []
    const dropped: string[] = []
    const trouble: { calendly?: Error; facts?: Error } = {}
    const ask = async <T>(uri: string, answer: T): Promise<T | undefined> => {
      calls.push(uri)
      if (trouble.calendly) throw trouble.calendly
      return knows ? answer : undefined
    }
    const { work } = createStalePulls({
      system,
      transact,
      read: (body) => messages[body.toString()],
      predecessors: { find: async () => [] },
      facts: {
        apply: async (tables, tenantId, invitee) => {
          applied.push(invitee)
          await tables.bookings.insert(aBooking({ id: `bkg_${applied.length}`, tenantId }))
          if (trouble.facts) throw trouble.facts
        }
      },
      calendly: {
        findInvitee: (uri) => ask<InviteeFact>(uri, invitee),
        findEvent: (uri) => ask<EventFact>(uri, anEvent('A')),
        dropAvailability: (eventType, hosts) => dropped.push(`times of ${eventType} and ${hosts}`),
        dropEventType: (eventType) => dropped.push(eventType)
      },
      log: { warn: () => {}, error: () => {} }
    })
    const holder = system.id()
    const epoch = (await leases.take(pullLease, holder, 60_000)) ?? 0
    t.teardown(() => leases.release(pullLease, epoch))
    const pull = (as = epoch) => work(as, new AbortController().signal)
    return { pull, epoch, system, calls, applied, dropped, trouble }
  }
  const bookings = () => reads.list('default', { limit: 9, now: 0 })

  t.test('applies what Calendly says, not what the delivery said, and forgets known times', async (t) => {
    const digest = await keep('created')
    const { pull, applied, dropped, calls } = await open()
    await pull()
    t.same(applied, [invitee])
    t.same(await becameOf(digest), { status: 'processed', reason: undefined })
    t.same(dropped, [`times of ${meeting} and ${host}`])
    await pull()
    t.equal(calls.length, 2, 'the invitee and the event, once')
  })

  t.test('reads once for all that speak of the same', async (t) => {
    const digests = [await keep('created'), await keep('canceled'), await keep('no-show')]
    const { pull, applied, calls } = await open()
    await pull()
    t.same(calls, [invitee.uri, invitee.event])
    t.equal(applied.length, 1)
    for (const digest of digests) t.match(await becameOf(digest), { status: 'processed' })
  })

  t.test('sets aside for good what speaks of something that Calendly does not know', async (t) => {
    const digest = await keep('created')
    const { pull, applied, calls } = await open({ knows: false })
    await pull()
    t.same(applied, [])
    t.same(await becameOf(digest), { status: 'quarantined', reason: 'subject_not_found' })
    await pull()
    t.equal(calls.length, 1)
  })

  t.test('has nothing to read for what speaks of no invitee', async (t) => {
    const digests = [await keep('form', 'a form'), await keep('type', meeting), await keep('noise', 'noise')]
    const { pull, calls, dropped } = await open()
    await pull()
    t.same(calls, [])
    t.same(dropped, [meeting])
    const became = await Promise.all(digests.map(becameOf))
    t.same(
      became.map((one) => one?.reason ?? one?.status),
      ['processed', 'processed', 'unreadable']
    )
  })

  t.test('waits longer and longer for a Calendly that is away, and then goes on', async (t) => {
    const digest = await keep('created')
    const { pull, calls, system, trouble } = await open()
    trouble.calendly = new AppError('calendly_unavailable')
    const waitsMs = [3_750, 7_500, 15_000, 30_000, 60_000, 120_000, 225_000, 225_000, 225_000]
    await pull()
    for (const [n, waitMs] of waitsMs.entries()) {
      await makeDue()
      await system.sleep(waitMs - 1)
      await pull()
      t.equal(calls.length, n + 1, `not before ${waitMs} ms`)
      await system.sleep(1)
      await pull()
      t.equal(calls.length, n + 2, `after ${waitMs} ms`)
    }
    await system.sleep(225_000)
    t.same(await becameOf(digest), { status: 'quarantined', reason: 'stale' }, 'never given up')
    delete trouble.calendly
    await makeDue()
    await pull()
    t.match(await becameOf(digest), { status: 'processed' })
  })

  t.test('waits as long as Calendly asks', async (t) => {
    await keep('created')
    const { pull, calls, system, trouble } = await open()
    trouble.calendly = new AppError('calendly_unavailable', undefined, { retryAfterMs: 60_000 })
    await pull()
    await system.sleep(59_000)
    await makeDue()
    await pull()
    t.equal(calls.length, 1)
    await system.sleep(1_000)
    await pull()
    t.equal(calls.length, 2)
  })

  t.test('gives up what cannot be applied after eight attempts, and nothing else waits for it', async (t) => {
    const digest = await keep('created')
    const { pull, applied, trouble } = await open()
    trouble.facts = new Error('boom')
    for (let attempt = 1; attempt <= 8; attempt++) {
      t.match(await becameOf(digest), { status: 'quarantined', reason: 'stale' }, `before attempt ${attempt}`)
      await makeDue()
      await pull()
    }
    t.equal(applied.length, 8)
    t.match(await becameOf(digest), { status: 'dead', reason: 'boom' })
    t.same(await bookings(), [])
  })

  t.test('writes nothing when another replica has taken over', async (t) => {
    const digest = await keep('created')
    const { pull, epoch, applied } = await open()
    await pull(epoch - 1)
    t.same(applied, [])
    t.match(await becameOf(digest), { status: 'quarantined', reason: 'stale' })
  })
})
