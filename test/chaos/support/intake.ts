import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import type { inDatabase } from '../../support/database.ts'
import type { Answer } from '../../support/service.ts'
import type { Service } from './service.ts'
import type { Stage } from './stage.ts'

type Db = Parameters<Parameters<typeof inDatabase>[1]>[0]
type Found = { invitee: string; status: string; timeline: string[]; events: string[] }

/** Nothing that must hold is broken, by the service's own account. */
export async function assertWhole(stage: Stage, { address }: Pick<Service, 'address'>): Promise<void> {
  const { body, text } = await stage.ask(`${address}/api/v1/integrity`)
  assert.equal(body?.ok, true, `every invariant holds: ${text}`)
}

/** What Calendly has sent and what became of it, for `assertNoneLost` and `assertOnceEach`. */
export async function calendlyView(stage: Stage) {
  const [{ deliveries }, { scheduled_events: events }] = await Promise.all([
    stage.control('GET', '/deliveries'),
    stage.control('GET', '/state')
  ])
  const bodies: string[] = deliveries.map(({ body }: Answer['body']) => body)
  const invitees: { uri: string; status: string }[] = events.flatMap(
    ({ invitees }: Answer['body']) => invitees
  )
  return { sent: deliveries.length as number, bodies, invitees }
}

type View = Awaited<ReturnType<typeof calendlyView>>

/** What was acknowledged is kept and has been applied: nothing that was lost was made up for in another way. */
export async function assertNoneLost(db: Db, { bodies }: View): Promise<void> {
  const { rows } = await sql<{ digest: Buffer }>`
    select digest from deliveries where status = 'processed'`.execute(db)
  const kept = new Set(rows.map(({ digest }) => digest.toString('hex')))
  const digestOf = (body: string) => createHash('sha256').update(body).digest('hex')
  const lost = bodies.filter((body) => !kept.has(digestOf(body)))
  assert.equal(lost.length, 0, `${lost.length} of ${bodies.length} deliveries are lost: ${lost[0]}`)
}

/**
 * Each invitee is one booking that came about once, and was canceled once or not at all; so the events tell. Who has the
 * time of somebody whose cancellation comes late meets him for that long; whose cancellation comes first was never
 * confirmed.
 */
export async function assertOnceEach(db: Db, { invitees }: View): Promise<void> {
  const { rows } = await sql<Found>`
    select details #>> '{calendly,invitee}' as invitee, status,
      array(select type from booking_timeline
        where booking_id = bookings.id and type <> 'overlap_found' order by booking_timeline.id) as timeline,
      array(select type from events where subject = bookings.id order by sequence) as events
    from bookings`.execute(db)
  const byInvitee = <T>(of: (one: T) => string, all: readonly T[]) =>
    all.toSorted((a, b) => (of(a) < of(b) ? -1 : 1))
  assert.equal(rows.length, invitees.length, 'as many bookings here as at Calendly')
  assert.deepEqual(
    byInvitee(({ invitee }) => invitee, rows.map(withoutConfirmed)),
    byInvitee(({ uri }) => uri, invitees).map(({ uri, status }) => ({
      invitee: uri,
      ...(status === 'active'
        ? { status: 'confirmed', timeline: ['recorded'], events: ['booking.confirmed'] }
        : {
            status: 'canceled',
            timeline: ['recorded', 'canceled'],
            events: ['booking.canceled']
          })
    })),
    'each happened once'
  )
}

function withoutConfirmed(found: Found): Found {
  const [first, ...rest] = found.events
  return found.status === 'canceled' && first === 'booking.confirmed' ? { ...found, events: rest } : found
}
