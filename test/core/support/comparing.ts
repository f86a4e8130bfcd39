import { sql } from 'kysely'
import type { Booking } from '../../../src/core/booking.ts'
import { createFacts } from '../../../src/core/facts.ts'
import {
  type Reconciliation,
  type ReconciliationTrigger,
  reconciliationLeases,
  requestReconciliation
} from '../../../src/core/reconciliation.ts'
import type { TransactRun } from '../../../src/core/reconciliation-log.ts'
import { createReconciliationRun } from '../../../src/core/reconciliation-run.ts'
import { listBookings } from '../../../src/database/bookings.ts'
import { confirmedBeside, seatsOf } from '../../../src/database/known-seats.ts'
import { createLeases } from '../../../src/database/leases.ts'
import { findReconciliation } from '../../../src/database/reconciliations.ts'
import { readTimeline } from '../../../src/database/timeline.ts'
import { tablesOf } from '../../../src/plugins/database.ts'
import { type EngineKind, openTestEngine, type Test } from '../../support/database.ts'
import { anEvent, anInvitee, minuteMs, tuesday } from '../../support/samples.ts'
import { fakeSystem } from '../../support/system.ts'
import { walkedCalendly } from './walked-calendly.ts'

export const dayMs = 86_400_000

/** The process is gone: nothing of it is written any more. */
export class Death extends Error {}

/** A database, a Calendly, and runs over both that can die after any commit. */
export async function openComparison(t: Test, kind: EngineKind) {
  const { db, transaction } = await openTestEngine(t, kind)
  const leases = createLeases(db)
  let holders = 0

  /** A world of its own on an empty database; half a day before `tuesday`. */
  async function begin(pageSize?: number) {
    for (const table of [
      'reconciliations',
      'events',
      'event_subjects',
      'claims',
      'invitees',
      'booking_timeline',
      'bookings',
      'leases'
    ]) {
      await sql`delete from ${sql.table(table)}`.execute(db)
    }
    const system = fakeSystem(tuesday - 720 * minuteMs)
    const world = walkedCalendly(pageSize)
    const facts = createFacts({ system })
    const life = { commitsLeft: Number.POSITIVE_INFINITY }
    const transact: TransactRun = async (work) => {
      if (life.commitsLeft <= 0) throw new Death()
      const result = await transaction((tx) => work(tablesOf(tx, system)))
      if (--life.commitsLeft <= 0) throw new Death()
      return result
    }
    const errors: string[] = []
    const run = createReconciliationRun({
      system,
      transact,
      reads: { seatsOf: seatsOf.bind(undefined, db), confirmedBeside: confirmedBeside.bind(undefined, db) },
      facts,
      calendly: world.calendly,
      log: {
        error: ({ err }: { err?: unknown }, phrase) =>
          errors.push(`${phrase}: ${err instanceof Error ? err.message : err}`)
      }
    })

    const service = {
      system,
      world,
      life,
      errors,
      async queue(trigger: ReconciliationTrigger = 'request', range: { from?: number; to?: number } = {}) {
        const wanted = { tenantId: 'default', kind: 'calendly', trigger, ...range } as const
        return transaction((tx) => requestReconciliation(tablesOf(tx, system), system, wanted))
      },
      async read({ id }: Pick<Reconciliation, 'id'>): Promise<Reconciliation> {
        const found = await findReconciliation(db, 'default', id)
        if (!found) throw new Error(`${id} is gone`)
        return found
      },
      /** As a replica that nobody has heard of before. */
      async takeLease(): Promise<number> {
        await sql`update leases set expires_at = '-infinity'`.execute(db)
        const epoch = await leases.take(reconciliationLeases.calendly, `replica ${++holders}`, 60_000)
        if (epoch === undefined) throw new Error('the lease is taken')
        return epoch
      },
      /** To its end, or to the death of the process. */
      async run(of: Reconciliation, epoch?: number, signal = new AbortController().signal) {
        await run(await service.read(of), epoch ?? (await service.takeLease()), signal).catch((error) => {
          if (!(error instanceof Death)) throw error
        })
        return service.read(of)
      },
      async compare(trigger?: ReconciliationTrigger, range?: { from?: number; to?: number }) {
        world.asked.length = 0
        return service.run(await service.queue(trigger, range))
      },
      /** Calendly's own word of it, by webhook. */
      async tell(name: string, number = 0): Promise<void> {
        const { uri } = anEvent(name)
        const event = world.events.get(uri) ?? anEvent(name)
        const page = await world.calendly.pageOfInvitees(uri)
        const invitee = page?.invitees[number] ?? anInvitee(name)
        await transaction((tx) => facts.apply(tablesOf(tx, system), 'default', invitee, event, 'webhook'))
        world.asked.length = 0
      },
      /** Made by us, as it is. */
      insert: (booking: Booking) => transaction((tx) => tablesOf(tx, system).bookings.insert(booking)),
      inTables: <T>(work: (tables: ReturnType<typeof tablesOf>) => Promise<T>) =>
        transaction((tx) => work(tablesOf(tx, system))),
      bookings: () => listBookings(db, 'default', { limit: 1000, now: 0 }),
      async bookingOf(name: string): Promise<Booking> {
        const found = (await service.bookings()).filter(
          ({ calendly }) => calendly.event === anEvent(name).uri
        )
        const [booking] = found
        if (!booking || found.length > 1) throw new Error(`${found.length} bookings of ${name}`)
        return booking
      },
      timeline: async ({ id }: Booking) => (await readTimeline(db, 'default', id)).map(({ type }) => type),
      /** Type and source of every event, in written order. */
      async events(): Promise<{ type: string; subject: string; source: string | undefined }[]> {
        const { rows } = await sql<{ body: Buffer }>`select body from events order by written`.execute(db)
        return rows.map(({ body }) => {
          const { type, subject, source } = JSON.parse(body.toString())
          return { type, subject, source }
        })
      }
    }
    return service
  }

  return { db, begin }
}

/** How often each thing is there. */
export function tally(things: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const thing of things.toSorted()) counts[thing] = (counts[thing] ?? 0) + 1
  return counts
}
