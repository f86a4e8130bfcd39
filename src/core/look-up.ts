import type { Booking, Resolution } from './booking.ts'
import type { EventFact, InviteeFact } from './calendly.ts'

/** The first POST and, after a proven absence, one more. */
const mostPosts = 2

export type Seen = { invitee: InviteeFact; event: EventFact }

export type LookUpSchedule = {
  /** Milliseconds from one look-up to the next; the last one repeats. */
  lookupsMs: readonly number[]
  /** Two reads at least this far apart prove an absence. */
  absenceMs: number
  /** After this long a human is asked. */
  attentionMs: number
}

/** What a look that found nothing leads to. `gone`: proven absent to the end, and it is not to be sent any more. */
export type Verdict = {
  kind: 'wait' | 'post' | 'taken' | 'gone' | 'attention'
  resolution: Resolution
}

type Deps = {
  calendly: {
    listEvents: (query: {
      inviteeEmail: string
      minStartTime: number
      maxStartTime: number
    }) => Promise<readonly EventFact[]>
    listInvitees: (event: string) => Promise<readonly InviteeFact[]>
  }
  schedule: LookUpSchedule
}

/** The search for a booking whose answer was lost. */
export function createLookUp({ calendly, schedule }: Deps) {
  /** Whether a human is to be asked: not before somebody has looked. */
  const isOverdue = ({ since, lookups }: Resolution, now: number) =>
    lookups > 0 && now - since >= schedule.attentionMs

  return {
    /** By e-mail, event type and the exact start; the rest is what `isIt` says. Undefined where it cannot be read. */
    async find(
      { invitee: { email }, eventType }: Pick<Booking, 'invitee' | 'eventType'>,
      startTime: number,
      isIt: (invitee: InviteeFact, event: EventFact) => boolean
    ): Promise<Seen[] | undefined> {
      try {
        const events = await calendly.listEvents({
          inviteeEmail: email,
          // Whether Calendly counts the bounds in is not documented.
          minStartTime: startTime - 60_000,
          maxStartTime: startTime + 60_000
        })
        const found: Seen[] = []
        for (const event of events) {
          if (event.startTime !== startTime || event.eventType !== eventType) continue
          const invitees = await calendly.listInvitees(event.uri)
          found.push(...invitees.filter((one) => isIt(one, event)).map((invitee) => ({ invitee, event })))
        }
        return found
      } catch {
        return undefined
      }
    },

    /** After a look that found nothing, or that failed. */
    judge(before: Resolution, isReadable: boolean, startTime: number, now: number): Verdict {
      const absentSince = before.absentSince ?? (isReadable ? now : undefined)
      const resolution = { ...before, absentSince, lookups: before.lookups + 1 }
      const isAbsent =
        isReadable && before.absentSince !== undefined && now - before.absentSince >= schedule.absenceMs
      const mayPost = startTime > now && before.posts < mostPosts
      const kind = () => {
        if (isAbsent && before.isTaken) return 'taken'
        if (isAbsent && mayPost) return 'post'
        if (!isOverdue(before, now)) return 'wait'
        return isAbsent ? 'gone' : 'attention'
      }
      return { kind: kind(), resolution }
    },

    isOverdue,

    nextMs({ lookups, since }: Resolution, now: number): number {
      const { lookupsMs, absenceMs, attentionMs } = schedule
      const [firstMs = absenceMs] = lookupsMs
      const planned = lookupsMs[Math.min(lookups, lookupsMs.length - 1)] ?? absenceMs
      // The second look is what proves an absence: no sooner than it can, and not much later.
      const wantedMs = lookups === 1 ? Math.max(planned, absenceMs) : planned
      // Not long after a human is due; who is late already may still prove an absence.
      const leftMs = since + attentionMs - now
      return Math.min(wantedMs, Math.max(leftMs, firstMs, Math.min(absenceMs, attentionMs)))
    }
  }
}

export type LookUp = ReturnType<typeof createLookUp>

/** One more POST after a proven absence: the search begins anew. */
export function postedAgain(resolution: Resolution): Resolution {
  return { ...resolution, absentSince: undefined, lookups: 0, posts: resolution.posts + 1 }
}
