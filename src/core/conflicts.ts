import type { AlternativeSearch } from './alternative-search.ts'
import { type Alternative, type OpenTime, presentAlternative, rankAlternatives } from './alternatives.ts'
import type { CalendarConflicts } from './calendar-conflicts.ts'
import type { EventType } from './calendly.ts'
import {
  type Asked,
  type Conflict,
  type ConflictKind,
  endOf,
  presentConflict,
  sortConflicts
} from './conflict.ts'
import { AppError } from './errors.ts'
import type { OwnConflicts } from './own-conflicts.ts'
import { createRecent } from './recent.ts'
import { createSharing } from './sharing.ts'
import type { System } from './system.ts'

/** What another replica has changed, or Calendly, may stay unnoticed for so long. */
const lastsMs = 1_000

/** How a claim failed. */
export type Loss = 'claimed' | 'max_per_day' | 'full'

type Deps = {
  system: Pick<System, 'now'>
  own: OwnConflicts
  calendar: CalendarConflicts
  search: AlternativeSearch
  calendly: { timeZoneOf: (eventType: EventType) => Promise<string> }
  /** Grows whenever a transaction of this process took time or gave it back. */
  claimChanges: () => number
}

type Openings = { open: OpenTime[]; byZone: Map<string, Alternative[]> }

/** Tells those who lose a slot what stands in the way, and what can be had instead. */
export function createConflicts({ system, own, calendar, search, calendly, claimChanges }: Deps) {
  const share = createSharing<Conflict[]>()
  const recent = { system, changes: claimChanges, lastsMs }
  const recallCalendar = createRecent<Conflict[]>(recent)
  const recallOpenings = createRecent<Openings>(recent)

  return {
    /** Spares those who come too late the transaction; the constraint, not this look, decides. */
    async refuseIfTaken(asked: Asked): Promise<void> {
      const ours = await look(asked)
      const isLost = ours.length > 0
      if (isLost) throw await refusal(asked, ours)
    },

    /**
     * The `slot_unavailable` for somebody who lost this slot. What can be had instead is worked out once for
     * everybody who loses it while nothing changes.
     */
    async lost(asked: Asked, loss?: Loss): Promise<AppError> {
      return refusal(asked, await explain(asked, loss))
    }
  }

  function look(asked: Asked): Promise<Conflict[]> {
    return share(keyOf(asked), () => own.find(asked))
  }

  async function explain(asked: Asked, loss: Loss | undefined): Promise<Conflict[]> {
    const key = keyOf(asked)
    const ours = await look(asked)
    if (ours.length > 0) return ours
    if (loss === 'full') {
      const seats = await share(`${key}\nseats`, () => own.ofSession(asked))
      if (seats.length > 0) return seats
    }
    // Whoever was faster has given it back since: it was a conflict all the same.
    if (loss !== undefined) return [whole(loss === 'max_per_day' ? 'max_per_day' : 'booking', asked)]
    const theirs = await recallCalendar(key, () => calendar.find(asked)).catch(nothingWhenAway)
    return theirs.length > 0 ? theirs : [whole('outside_availability', asked)]
  }

  async function refusal(asked: Asked, conflicts: readonly Conflict[]): Promise<AppError> {
    const sorted = sortConflicts(conflicts)
    const alternatives = await alternativesTo(asked).catch(nothingWhenAway)
    return new AppError('slot_unavailable', detailOf(sorted), {
      members: {
        conflicts: sorted.map(presentConflict),
        alternatives: alternatives.map(presentAlternative)
      }
    })
  }

  async function alternativesTo(asked: Asked): Promise<Alternative[]> {
    const { tenantId, eventType, hosts, startTime, notAt } = asked
    const { open, byZone } = await recallOpenings(keyOf(asked), async () => ({
      open: await search.find(tenantId, [{ eventType, hosts, notAt }], startTime),
      byZone: new Map()
    }))
    if (open.length === 0) return []
    const timeZone = asked.timeZone ?? (await calendly.timeZoneOf(eventType))
    const known = byZone.get(timeZone)
    if (known) return known
    const alternatives = rankAlternatives({ eventType: eventType.uri, startTime }, open, timeZone)
    byZone.set(timeZone, alternatives)
    return alternatives
  }
}

export type Conflicts = ReturnType<typeof createConflicts>

function keyOf({ tenantId, eventType, hosts, startTime, exclude = [], notAt }: Asked): string {
  return [tenantId, eventType.uri, startTime, [...hosts].sort(), [...exclude].sort(), notAt].join('\n')
}

function whole(kind: ConflictKind, asked: Asked): Conflict {
  return { kind, startTime: asked.startTime, endTime: endOf(asked) }
}

/** What cannot be asked now is left out: a slot is lost all the same. */
function nothingWhenAway(error: unknown): never[] {
  if (!(error instanceof AppError)) throw error
  return []
}

const details: Readonly<Record<ConflictKind, string>> = {
  booking: 'Somebody else has that time.',
  hold: 'Somebody else holds that time.',
  buffer: 'That time is too close to another appointment.',
  calendar: 'Calendly does not offer that time.',
  outside_availability: 'Calendly does not offer that time.',
  minimum_notice: 'That time is too soon.',
  max_per_day: 'That day takes no more appointments.'
}

function detailOf([first]: readonly Conflict[]): string {
  return details[first?.kind ?? 'outside_availability']
}
