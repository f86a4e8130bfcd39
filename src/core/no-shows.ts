import { actorOf } from './audit.ts'
import type { Booking } from './booking.ts'
import { revise } from './booking-changes.ts'
import type { BookingReads, BookingTables, Transact } from './booking-tables.ts'
import type { InviteeFact, NoShowOutcome, NoShowRemoval } from './calendly.ts'
import type { Caller } from './callers.ts'
import { AppError } from './errors.ts'
import type { Execution } from './idempotency.ts'
import { lockBooking, note } from './recording.ts'
import { forgetNoShowRefund, planNoShowRefund } from './refund-plan.ts'
import type { System } from './system.ts'

type Deps = {
  system: Pick<System, 'now'>
  transact: Transact
  reads: Pick<BookingReads, 'find'>
  calendly: {
    findInvitee: (uri: string) => Promise<InviteeFact | undefined>
    markNoShow: (invitee: string) => Promise<NoShowOutcome>
    removeNoShow: (uri: string) => Promise<NoShowRemoval>
  }
}

type Failure = Exclude<NoShowOutcome, { kind: 'done' }>
type NoShowFact = NonNullable<InviteeFact['noShow']>

/** How many removed ones are remembered. */
const mostPast = 10
/** Calendly dates its webhooks by the second. */
const secondMs = 1_000

/**
 * Tells Calendly who did not appear, and takes it back. How it stands there is read before anything is asked and whenever
 * an answer was lost or was a refusal: what an earlier request did and could not write down is then found done.
 */
export function createNoShows({ system, transact, reads, calendly }: Deps) {
  return {
    /** The booking with its no-show. Throws `calendly_rejected`, of what has not begun too, and `calendly_unavailable`. */
    async mark(caller: Caller, id: string, execution: Execution): Promise<Booking> {
      const seen = await readSeat(caller, id)
      const noShow = seen.noShow ?? (await markAt(seen))
      return write(caller, id, { invitee: seen.uri, noShow }, execution)
    },

    /** The booking without a no-show, also where there was none. Throws as `mark` does. */
    async remove(caller: Caller, id: string): Promise<Booking> {
      const seen = await readSeat(caller, id)
      if (seen.noShow) await removeAt(seen, seen.noShow.uri)
      return write(caller, id, { invitee: seen.uri, removed: seen.noShow?.uri })
    }
  }

  async function readSeat({ tenantId }: Caller, id: string): Promise<InviteeFact> {
    const booking = await reads.find(tenantId, id)
    if (!booking) throw new AppError('booking_not_found')
    if (booking.status !== 'confirmed' || booking.change) {
      throw new AppError('calendly_rejected', 'It is not confirmed, or is just being changed.')
    }
    const seen = await calendly.findInvitee(booking.calendly.invitee ?? '')
    if (!seen) throw new AppError('calendly_rejected', 'Calendly does not know this invitee any more.')
    return seen
  }

  async function markAt({ uri }: InviteeFact): Promise<NoShowFact> {
    const outcome = await calendly.markNoShow(uri)
    if (outcome.kind === 'done') return outcome
    const standing = outcome.kind === 'not_done' ? undefined : await calendly.findInvitee(uri)
    if (!standing?.noShow) throw problemOf(outcome)
    return standing.noShow
  }

  async function removeAt({ uri }: InviteeFact, noShow: string): Promise<void> {
    const outcome = await calendly.removeNoShow(noShow)
    if (outcome.kind === 'done') return
    const standing = outcome.kind === 'not_done' ? undefined : await calendly.findInvitee(uri)
    if (!standing || standing.noShow) throw problemOf(outcome)
  }

  async function write(
    caller: Caller,
    id: string,
    { invitee, noShow, removed }: { invitee: string; noShow?: NoShowFact; removed?: string | undefined },
    execution?: Execution
  ): Promise<Booking> {
    return transact(async (tables) => {
      const booking = await lockBooking(tables, { tenantId: caller.tenantId, id })
      await execution?.begin(tables, id)
      // Moved or canceled meanwhile: it was another appointment's.
      if (booking.calendly.invitee !== invitee) return booking
      const occasion = { now: system.now(), by: actorOf(caller), at: noShow?.createdAt, removed }
      return recordNoShow(tables, booking, noShow?.uri, occasion)
    })
  }
}

export type NoShows = ReturnType<typeof createNoShows>

type Occasion = {
  now: number
  by: string
  /** When it became so, by Calendly's clock, where Calendly said so. */
  at?: number | undefined
  /** One that ends with it, though it may never have been written down. */
  removed?: string | undefined
}

/** Writes down how it stands, with or without the URI of a no-show; the same booking when that was known. */
export async function recordNoShow(
  tables: BookingTables,
  booking: Booking,
  noShowUri: string | undefined,
  { now, by, at = booking.noShowAt, removed }: Occasion
): Promise<Booking> {
  const noShow = noShowUri !== undefined
  const pastNoShows = pastOf(booking, [booking.noShowUri, removed], noShowUri)
  const isKnown = booking.noShowUri === noShowUri && booking.noShowAt === at && booking.noShow === noShow
  if (isKnown && pastNoShows.length === (booking.pastNoShows ?? []).length) return booking
  const next = revise(booking, now, { noShow, noShowUri, noShowAt: at, pastNoShows })
  await tables.bookings.update(next)
  if (booking.noShow === noShow) return next
  await note(tables, next, noShow ? 'no_show_marked' : 'no_show_removed', { by })
  if (noShow) await planNoShowRefund(tables, next, at ?? now)
  else await forgetNoShowRefund(tables, next)
  return next
}

function pastOf(
  { pastNoShows = [] }: Booking,
  ended: readonly (string | undefined)[],
  current: string | undefined
): readonly string[] {
  const uris = [...pastNoShows, ...ended].filter((uri) => uri !== undefined && uri !== current)
  return [...new Set(uris as string[])].slice(-mostPast)
}

type Word = {
  now: number
  /** When Calendly said so: the second of a webhook, or the moment of a reading. */
  toldAt?: number | undefined
}

/** What Calendly reports of a no-show, in any order: an older word than the latest changes nothing. */
export async function applyNoShow(
  tables: BookingTables,
  tenantId: string,
  invitee: InviteeFact,
  { now, toldAt }: Word
): Promise<void> {
  const [link] = await tables.invitees.find(tenantId, [invitee.uri])
  const booking = link && (await tables.bookings.lock(tenantId, link.bookingId))
  if (booking?.calendly.invitee !== invitee.uri) return
  const { noShow } = invitee
  if (noShow && booking.pastNoShows?.includes(noShow.uri)) return
  const at = noShow ? Math.max(noShow.createdAt ?? 0, invitee.updatedAt) : removedAt(invitee, toldAt)
  const latest = booking.noShowAt ?? Number.NEGATIVE_INFINITY
  const isOld = booking.noShow && !noShow ? at < latest : at <= latest
  if (!isOld) await recordNoShow(tables, booking, noShow?.uri, { now, by: 'calendly', at })
}

/** Whether a removal touches the invitee is nowhere said: where it did not, it was at the end of that second at the latest. */
function removedAt({ updatedAt }: InviteeFact, toldAt = updatedAt): number {
  const isTouched = Math.abs(toldAt - updatedAt) <= 2 * secondMs
  return isTouched ? updatedAt : Math.max(updatedAt, toldAt + secondMs - 1)
}

function problemOf(outcome: Failure): AppError {
  switch (outcome.kind) {
    case 'refused':
      return new AppError('calendly_rejected', outcome.detail)
    case 'not_done': {
      const { detail, retryAfterMs, cause } = outcome
      return new AppError('calendly_unavailable', detail, {
        cause,
        ...(retryAfterMs !== undefined && { retryAfterMs })
      })
    }
    case 'ambiguous':
      return new AppError('calendly_unavailable', 'The answer of Calendly was lost.', {
        cause: outcome.cause
      })
  }
}
