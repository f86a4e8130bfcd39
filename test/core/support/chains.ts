import { type Kysely, sql } from 'kysely'
import type { Booking } from '../../../src/core/booking.ts'
import type { BookingTables } from '../../../src/core/booking-tables.ts'
import type { EventFact, InviteeFact } from '../../../src/core/calendly.ts'
import { createFacts } from '../../../src/core/facts.ts'
import { listBookings } from '../../../src/database/bookings.ts'
import type { Engine } from '../../../src/database/engine.ts'
import type { Tables } from '../../../src/database/tables.ts'
import { readTimeline } from '../../../src/database/timeline.ts'
import { tablesOf } from '../../../src/plugins/database.ts'
import { anEvent, anInvitee, inviteeUri, minuteMs, tuesday } from '../../support/samples.ts'
import { fakeSystem } from '../../support/system.ts'

export const hourMs = 60 * minuteMs
export type Fact = { name: string; invitee: InviteeFact; event: EventFact }

type Telling = {
  isCanceled?: boolean
  /** Of every invitee, and of every event. */
  of?: Partial<InviteeFact>
  on?: Partial<EventFact>
  /** Tells its invitees from those of others. */
  chain?: string
}

/** What Calendly tells of who books `A`, moves it to `B` an hour later, then to `C` … and cancels the last one. */
export function tellingOf(
  places: string,
  { isCanceled = true, of = {}, on = {}, chain = '' }: Telling = {}
): Fact[] {
  const names = [...places].map((place) => `${chain}${place}`)
  return names.flatMap((name, index) => {
    const time = { ...on, startTime: tuesday + index * hourMs }
    const [before, next] = [names[index - 1], names[index + 1]]
    const common: Partial<InviteeFact> = {
      ...of,
      oldInvitee: before && inviteeUri(before),
      createdAt: tuesday - hourMs + index * 1_000
    }
    const created = { name: `created ${name}`, invitee: anInvitee(name, common), event: anEvent(name, time) }
    if (!next && !isCanceled) return [created]
    const end: Partial<InviteeFact> = next
      ? { rescheduled: true, newInvitee: inviteeUri(next) }
      : { cancellation: { canceledBy: 'Ada Example', cancelerType: 'invitee', createdAt: tuesday - 1_000 } }
    const gone: Fact = {
      name: `canceled ${name}`,
      invitee: anInvitee(name, { ...common, ...end, status: 'canceled' }),
      event: anEvent(name, { ...time, status: 'canceled' })
    }
    return [created, gone]
  })
}

export type Told = { type: string; subject: string; sequence: number; booking: Record<string, unknown> }
export type World = {
  bookings: Booking[]
  /** Owner and minutes from `tuesday`. */
  claims: [string, number][]
  events: Told[]
  timelineOf: (id: string) => Promise<string[]>
}

export async function worldOf(db: Kysely<Tables>): Promise<World> {
  const claims = await sql<{ owner_id: string; start_time: number }>`
    select owner_id, start_time from claims order by start_time`.execute(db)
  const events = await sql<{ body: Buffer }>`select body from events order by written`.execute(db)
  return {
    bookings: await listBookings(db, 'default', { limit: 1_000, now: 0 }),
    claims: claims.rows.map((row) => [row.owner_id, (row.start_time - tuesday) / minuteMs]),
    events: events.rows.map(({ body }) => {
      const { data, ...event } = JSON.parse(body.toString())
      return { ...event, booking: data.booking }
    }),
    timelineOf: async (id) => (await readTimeline(db, 'default', id)).map(({ type }) => type)
  }
}

/** What must hold of whatever was heard so far: each fault in words. */
export function faultsOf({ bookings, claims, events }: World): string[] {
  return bookings.flatMap((booking) => {
    const told = events.filter(({ subject }) => subject === booking.id)
    const count = (type: string) => told.filter((event) => event.type === type).length
    const own = claims.filter(([owner]) => owner === booking.id)
    const { status, mergedInto, change } = booking
    const isHere = status === 'confirmed' && change?.kind !== 'move'
    const checks: [string, boolean][] = [
      ['its events are counted without a gap', told.every(({ sequence }, index) => sequence === index + 1)],
      ['it is confirmed at most once', count('booking.confirmed') <= 1],
      [
        'each move is told once',
        mergedInto !== undefined || count('booking.rescheduled') === booking.reschedules.length
      ],
      ['its end is told once', count('booking.canceled') <= 1],
      [
        'its end is told',
        mergedInto !== undefined || count('booking.canceled') === (status === 'canceled' ? 1 : 0)
      ],
      ['that it is another is told once', count('booking.merged') === (mergedInto === undefined ? 0 : 1)],
      ['what is merged is over', mergedInto === undefined || status === 'canceled'],
      ['what is merged was live', bookings.some(({ id }) => id === mergedInto) || mergedInto === undefined],
      ['it has its time, or none', own.length === (isHere ? 1 : 0)],
      ['it has the time where it is', own.every(([, at]) => at === (booking.startTime - tuesday) / minuteMs)]
    ]
    return checks.flatMap(([words, holds]) => (holds ? [] : [`${booking.id}: ${words}`]))
  })
}

export const liveOf = ({ bookings }: World) => bookings.filter(({ mergedInto }) => mergedInto === undefined)

type Before = (tables: BookingTables) => Promise<void>
type Tell = (fact: Fact) => Promise<void>

/** What the database holds once they were told in this order, of which nothing stays. */
export async function inOrder(engine: Engine, facts: readonly Fact[], before: Before): Promise<World> {
  let world: World | undefined
  await undone(engine, before, async (db, tell) => {
    for (const fact of facts) await tell(fact)
    world = await worldOf(db)
  })
  if (!world) throw new Error('nothing was looked at')
  return world
}

/** Tells the facts in every order, the common beginnings of orders once; `look` sees every beginning and every end. */
export async function inEveryOrder(
  engine: Engine,
  facts: readonly Fact[],
  before: Before,
  look: (heard: readonly Fact[], db: Kysely<Tables>, tell: Tell) => Promise<void>
): Promise<void> {
  await undone(engine, before, async (db, tell) => {
    async function goOn(heard: readonly Fact[]): Promise<void> {
      const name = sql.id(`heard_${heard.length}`)
      for (const fact of facts) {
        if (heard.includes(fact)) continue
        await sql`savepoint ${name}`.execute(db)
        await tell(fact)
        await look([...heard, fact], db, tell)
        await goOn([...heard, fact])
        await sql`rollback to ${name}`.execute(db)
      }
    }
    await goOn([])
  })
}

async function undone(
  engine: Engine,
  before: Before,
  work: (db: Kysely<Tables>, tell: Tell) => Promise<void>
): Promise<void> {
  const { apply } = createFacts({ system: fakeSystem() })
  const nothing = new Error('nothing of it stays')
  await engine
    .transaction(async (tx) => {
      const tables = tablesOf(tx)
      await before(tables)
      await work(tx, ({ invitee, event }) => apply(tables, 'default', invitee, event, 'webhook'))
      throw nothing
    })
    .catch((error) => {
      if (error !== nothing) throw error
    })
}
