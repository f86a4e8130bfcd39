import { sessionOf } from './booking.ts'
import type { BookingReads } from './booking-tables.ts'
import type { AvailableTime, EventType } from './calendly.ts'
import type { ClaimRules } from './claiming.ts'
import { dayOf } from './days.ts'

type Deps = {
  reads: Pick<BookingReads, 'settingsOf' | 'findSeats'>
  offers: { find: (eventType: EventType, startTime: number) => Promise<AvailableTime | undefined> }
  calendly: { timeZoneOf: (eventType: EventType) => Promise<string> }
}

/** What is to be known of a time before the transaction that takes it. */
export function createClaimRules({ reads, offers, calendly }: Deps) {
  return {
    /** `offer`: Calendly's own, where it has just been read. Throws what Calendly's reads throw. */
    async rulesFor(
      tenantId: string,
      eventType: EventType,
      startTime: number,
      offer?: AvailableTime
    ): Promise<ClaimRules> {
      const [settings, seats] = await Promise.all([
        reads.settingsOf(tenantId, eventType.uri),
        eventType.kind === 'group' ? seatsOf(tenantId, eventType, startTime, offer) : undefined
      ])
      if (settings.maxPerDay === undefined) return { settings, seats }
      const { startsAt, endsAt } = dayOf(await calendly.timeZoneOf(eventType), startTime)
      return { settings, seats, day: { startsAt, endsAt } }
    }
  }

  /** The limit of the session's event, or before there is one what Calendly has left; nothing where it offers none. */
  async function seatsOf(
    tenantId: string,
    eventType: EventType,
    startTime: number,
    offer: AvailableTime | undefined
  ): Promise<NonNullable<ClaimRules['seats']>> {
    const session = sessionOf({ id: '', isGroup: true, eventType: eventType.uri, startTime })
    const limit = await reads.findSeats(tenantId, session)
    const read = offer ?? (limit === undefined ? await offers.find(eventType, startTime) : undefined)
    return { limit, remaining: read?.inviteesRemaining }
  }
}

export type ClaimRuleBook = ReturnType<typeof createClaimRules>
