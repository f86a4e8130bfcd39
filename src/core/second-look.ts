import type { Booking } from './booking.ts'
import type { BookingReads, Transact } from './booking-tables.ts'
import type { EventFact, InviteeFact } from './calendly.ts'
import type { Facts } from './facts.ts'
import { createMemo } from './memo.ts'
import type { System } from './system.ts'

/** How soon Calendly is asked for the same booking again, and how soon it is considered again. */
const pauseMs = 60_000
const shortPauseMs = 1_000
/** At a time; the others' turn comes with the next answer. */
const mostAtOnce = 4
const mostRemembered = 10_000

type Deps = {
  system: Pick<System, 'now'>
  transact: Transact
  reads: Pick<BookingReads, 'find'>
  facts: Facts
  calendly: {
    findEvent: (uri: string) => Promise<EventFact | undefined>
    findInvitee: (uri: string) => Promise<InviteeFact | undefined>
  }
  log: { warn: (fields: object, phrase: string) => void }
}

/** Calendly offers a time that a booking of ours has: its cancellation was missed, or is on its way. */
export function createSecondLook({ system, transact, reads, facts, calendly, log }: Deps) {
  const notBefore = createMemo<number>(mostRemembered)
  const underWay = new Set<string>()

  return {
    /** Looks at them in the background. `asOf`: when Calendly was asked for what it offers. */
    doubt(tenantId: string, bookings: readonly string[], asOf: number): void {
      for (const id of bookings) {
        const isTooSoon = system.now() < (notBefore.get(id) ?? 0)
        if (isTooSoon || underWay.has(id) || underWay.size === mostAtOnce) continue
        underWay.add(id)
        notBefore.set(id, system.now() + shortPauseMs, 1)
        look(tenantId, id, asOf)
          .catch((error) => log.warn({ err: error, booking: id }, 'doubtful booking not looked at'))
          .finally(() => underWay.delete(id))
      }
    }
  }

  async function look(tenantId: string, id: string, asOf: number): Promise<void> {
    const booking = await reads.find(tenantId, id)
    // What Calendly offered before it knew of the booking says nothing.
    if (!booking || !isSettled(booking) || booking.updatedAt >= asOf) return
    notBefore.set(id, system.now() + pauseMs, 1)
    const [invitee, event] = await Promise.all([
      calendly.findInvitee(booking.calendly.invitee ?? ''),
      calendly.findEvent(booking.calendly.event ?? '')
    ])
    if (!invitee || !event) return
    const seat = seatIn(event, invitee)
    await transact((tables) => facts.apply(tables, tenantId, seat, event, 'reconciliation'))
  }
}

/** With the event everybody in it is canceled, whatever is said of the invitee. */
export function seatIn({ status, cancellation }: EventFact, invitee: InviteeFact): InviteeFact {
  return status === 'canceled' && invitee.status === 'active' ? { ...invitee, status, cancellation } : invitee
}

/** Confirmed, one-on-one, and with nothing under way that would explain it. */
function isSettled({ status, change, isGroup }: Booking): boolean {
  return status === 'confirmed' && change === undefined && !isGroup
}
