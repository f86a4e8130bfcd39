import type { Booking } from './booking.ts'
import { partsOf, revise } from './booking-changes.ts'
import type { BookingTables, TimelineEntry } from './booking-tables.ts'
import type { EventFact, InviteeFact } from './calendly.ts'
import type { Facts } from './facts.ts'
import { applyNoShow } from './no-shows.ts'
import { isWhen, isWith, type KnownSeat } from './reconciliation-compare.ts'
import type { Difference, DifferenceKind } from './reconciliation-report.ts'
import { note, reclaim } from './recording.ts'

/** What Calendly says of one invitee, and what was known before it was asked. */
export type Reading = {
  tenantId: string
  invitee: InviteeFact
  event: EventFact
  /** When the event was asked for. */
  askedAt: number
  /** As it was known between asking for the event and for the invitee. */
  seat: KnownSeat | undefined
}

/** What a repair writes into a booking's timeline is what had been missed. */
const missed: Readonly<Record<string, DifferenceKind>> = {
  recorded: 'missing_booking',
  confirmed: 'missed_confirmation',
  canceled: 'missed_cancellation',
  rescheduled: 'missed_reschedule',
  no_show_marked: 'missed_no_show',
  no_show_removed: 'missed_no_show_removal'
}

/** Makes ours what Calendly says, and tells what that changed. What has changed here since it was asked stays. */
export async function repair(
  tables: BookingTables,
  facts: Facts,
  reading: Reading,
  now: number
): Promise<Difference[]> {
  const { tenantId, invitee, event, seat } = reading
  const found: Difference[] = []
  const heard = listening(tables, event.uri, found)
  const before = await bookingOf(tables, reading)
  const isAsSeen = before?.id === seat?.booking.id && before?.version === seat?.booking.version
  await facts.apply(heard, tenantId, invitee, event, 'reconciliation')
  const after = await bookingOf(tables, reading)
  if (!isAsSeen || !after) return found
  if (isGivenUp(seat, after) && invitee.status === 'active') {
    const detail = 'It was canceled or moved here and stands at Calendly.'
    return [...found, { ...about(event, after), kind: 'active_at_calendly', detail, repaired: false }]
  }
  if (!isIts(after, invitee) || invitee.status !== 'active') return found
  if (after.noShow !== (invitee.noShow !== undefined))
    await applyNoShow(heard, tenantId, invitee, { now, toldAt: reading.askedAt })
  if (before && before.updatedAt >= reading.askedAt) return found
  return [...found, ...(await correct(tables, event, await bookingOf(tables, reading), now))]
}

/** Tells of itself in every event, and of what has been missed. */
function listening(tables: BookingTables, calendlyEvent: string, found: Difference[]): BookingTables {
  return {
    ...tables,
    events: { add: (news) => tables.events.add({ ...news, source: 'reconciliation' }) },
    timeline: {
      async add(booking, entry) {
        const kind = missed[entry.type]
        const detail = detailOf(entry)
        if (kind) found.push({ kind, bookingId: booking.id, calendlyEvent, detail, repaired: true })
        await tables.timeline.add(booking, entry)
      }
    }
  }
}

function detailOf({ type, detail: { from, to } }: TimelineEntry): string | undefined {
  return type === 'rescheduled' ? `From ${from} to ${to}.` : undefined
}

async function bookingOf(
  tables: BookingTables,
  { tenantId, invitee }: Reading
): Promise<Booking | undefined> {
  const [link] = await tables.invitees.find(tenantId, [invitee.uri])
  return link && tables.bookings.lock(tenantId, link.bookingId)
}

const isGivenUp = (seat: KnownSeat | undefined, { change }: Booking) =>
  change === undefined && (seat?.state === 'canceled' || seat?.state === 'moved')

const isIts = ({ status, change, calendly }: Booking, { uri }: InviteeFact) =>
  status === 'confirmed' && change === undefined && calendly.invitee === uri

const about = ({ uri }: EventFact, { id }: Booking) => ({ bookingId: id, calendlyEvent: uri })

/** Calendly's page can put somebody else in the host's place, of which no webhook tells. */
async function correct(
  tables: BookingTables,
  event: EventFact,
  before: Booking | undefined,
  now: number
): Promise<Difference[]> {
  if (!before) return []
  const isOnTime = isWhen(event, before)
  const hosts = before.hosts.map(({ user }) => user)
  if (isOnTime && isWith(event, hosts)) return []
  const after = revise(before, now, partsOf(before, event))
  await tables.bookings.update(after)
  await note(tables, after, 'corrected', {
    start_time: new Date(after.startTime).toISOString(),
    end_time: new Date(after.endTime).toISOString(),
    hosts: after.hosts.map(({ user }) => user)
  })
  await reclaim(tables, before, after)
  const kinds: DifferenceKind[] = [
    ...(isOnTime ? [] : (['time_differs'] as const)),
    ...(isWith(event, hosts) ? [] : (['host_differs'] as const))
  ]
  return kinds.map((kind) => ({ ...about(event, after), kind, repaired: true }))
}
