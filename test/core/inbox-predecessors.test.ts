import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import type { CalendlyDelivery } from '../../src/core/calendly.ts'
import { createFacts } from '../../src/core/facts.ts'
import { createInbox } from '../../src/core/inbox.ts'
import type { Seen } from '../../src/core/look-up.ts'
import { insertDeliveries } from '../../src/database/deliveries.ts'
import { anEvent, anInvitee, inviteeUri, tuesday } from '../support/samples.ts'
import { fakeSystem } from '../support/system.ts'
import { openTables } from '../support/tables.ts'
import { faultsOf, tellingOf, worldOf } from './support/chains.ts'

t.test('a delivery of whom nobody has told where he was moved from', async (t) => {
  const { db, transact } = await openTables(t)
  const [, movedA, createdB] = tellingOf('AB', { isCanceled: false })
  if (!movedA || !createdB) throw new Error('a chain of two has three facts')
  const message: CalendlyDelivery = {
    event: 'invitee.created',
    invitee: createdB.invitee,
    scheduledEvent: createdB.event
  }
  t.beforeEach(async () => {
    const tables = [
      'claims',
      'invitees',
      'booking_timeline',
      'events',
      'event_subjects',
      'bookings',
      'deliveries'
    ]
    for (const table of tables) await sql`delete from ${sql.table(table)}`.execute(db)
    const body = Buffer.from('createdB')
    const digest = createHash('sha256').update(body).digest()
    const delivery = { id: 'dlv_1', tenantId: 'default', body, digest, signedAt: tuesday, attempts: 0 }
    await insertDeliveries(db, [{ ...delivery, status: 'received' }])
  })
  const open = (find: () => Promise<Seen[]>) =>
    createInbox({
      system: fakeSystem(),
      transact,
      read: () => message,
      predecessors: { find },
      facts: createFacts({ system: fakeSystem() }),
      calendly: { dropAvailability: () => {}, dropEventType: () => {} },
      log: { warn: () => {}, error: () => {} }
    })
  const typesOf = async () => (await worldOf(db)).events.map(({ type }) => type)

  t.test('is applied behind what Calendly says of that, each with its event', async (t) => {
    const { processNext } = open(async () => {
      t.same(await typesOf(), [], 'no transaction is open while it is asked')
      return [movedA]
    })
    t.same([await processNext(), await processNext()], [true, false])
    t.same(await typesOf(), ['booking.confirmed', 'booking.rescheduled'])
    const world = await worldOf(db)
    t.match(world.bookings, [{ startTime: createdB.event.startTime, reschedules: { length: 1 } }])
    t.same(faultsOf(world), [])
  })

  t.test('is applied alone where Calendly says nothing', async (t) => {
    const { processNext } = open(async () => [])
    t.equal(await processNext(), true)
    t.same(await typesOf(), ['booking.confirmed'])
  })

  t.test('asks nothing where somebody has', async (t) => {
    const { apply } = createFacts({ system: fakeSystem() })
    await transact((tables) => apply(tables, 'default', anInvitee('A'), anEvent('A'), 'webhook'))
    const { processNext } = open(() => Promise.reject(new Error('it was asked')))
    t.equal(await processNext(), true)
    t.match((await worldOf(db)).bookings, [{ calendly: { invitee: inviteeUri('B') } }])
  })

  t.test('is left to another process when this one dies meanwhile, and happens once', async (t) => {
    let goOn = (_: Seen[]) => {}
    const dying = open(() => new Promise((resolve) => (goOn = resolve)))
    const died = dying.processNext()
    const heir = open(async () => [movedA])
    while (await heir.processNext()) await new Promise(setImmediate)
    t.same(await typesOf(), [], 'not before its time is over')
    await sql`update deliveries set due_at = now()`.execute(db)
    t.equal(await heir.processNext(), true)
    goOn([movedA])
    await died
    t.same(await typesOf(), ['booking.confirmed', 'booking.rescheduled'])
  })
})
