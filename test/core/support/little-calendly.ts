import type {
  CancelOutcome,
  EventFact,
  InviteeFact,
  InviteeOutcome,
  InviteeRequest
} from '../../../src/core/calendly.ts'
import { AppError } from '../../../src/core/errors.ts'
import type { Seen } from '../../../src/core/look-up.ts'
import { anEvent, anInvitee, host, minuteMs } from '../../support/samples.ts'

/**
 * What becomes of a write: `lost` is done and the answer never comes; `late` too, and lists show it only after a
 * while; `dropped` is not done and there is no answer either; `refused`, `away` and `quota` certainly change nothing.
 */
export type Fate = 'done' | 'lost' | 'late' | 'dropped' | 'refused' | 'away' | 'quota'
type Write = 'post' | 'cancel'
const lateMs = 40_000

/** A Calendly with one host in it, which keeps what it was told and tells of it when it is asked to. */
export function littleCalendly(now: () => number) {
  const seats = new Map<string, Seen>()
  const fates: Record<Write, Fate[]> = { post: [], cancel: [] }
  const shownAt = new Map<string, number>()
  let made = 0
  const world = {
    seats,
    /** What is to become of the next writes; then all goes well. */
    fates,
    /** Starts that somebody else has. */
    taken: new Set<number>(),
    /** Every webhook so far, oldest first. */
    told: [] as Seen[],
    /** What was asked, in order. */
    asked: [] as string[],
    isAway: false,
    /** What happens between a write and its answer. */
    beforeAnswer: async () => {},
    active: () => [...seats.values()].filter(({ invitee }) => invitee.status === 'active'),
    /** By the program of this tenant; `utmTerm` is what it was sent. */
    add(startTime: number, changes: Partial<InviteeFact> = {}, others = 0): Seen {
      const name = `E${++made}`
      const event = anEvent(name, {
        startTime,
        inviteesCounter: { total: 1 + others, active: 1 + others, limit: 5 }
      })
      const invitee = anInvitee(name, { createdAt: now(), updatedAt: now(), ...changes })
      return keep({ invitee, event })
    },
    /** On Calendly's page, or with the host's token. */
    cancel(seat: Seen, cancelerType: 'host' | 'invitee' = 'invitee'): Seen {
      const cancellation = { cancelerType, canceledBy: cancelerType, createdAt: now() }
      return keep({
        invitee: { ...seat.invitee, status: 'canceled', cancellation },
        event: { ...seat.event, status: 'canceled', cancellation }
      })
    },
    /** On Calendly's page. */
    move(seat: Seen, startTime: number): Seen {
      const { uri, tracking } = seat.invitee
      const next = world.add(startTime, { oldInvitee: uri, tracking })
      keep({
        invitee: { ...seat.invitee, status: 'canceled', rescheduled: true, newInvitee: next.invitee.uri },
        event: { ...seat.event, status: 'canceled' }
      })
      return next
    },
    calendly: {
      async createInvitee(request: InviteeRequest): Promise<InviteeOutcome> {
        world.asked.push(`book ${new Date(request.startTime).toISOString().slice(11, 16)}`)
        const outcome = post(request, fates.post.shift() ?? 'done')
        await world.beforeAnswer()
        return outcome
      },
      async cancelEvent(uri: string): Promise<CancelOutcome> {
        const seat = [...seats.values()].find(({ event }) => event.uri === uri)
        const at = seat ? new Date(seat.event.startTime).toISOString().slice(11, 16) : uri
        world.asked.push(`cancel ${at}`)
        const outcome = cancelWith(seat, fates.cancel.shift() ?? 'done')
        await world.beforeAnswer()
        return outcome
      },
      async findEvent(uri: string): Promise<EventFact | undefined> {
        orAway()
        return [...seats.values()].find(({ event }) => event.uri === uri)?.event
      },
      async findInvitee(uri: string): Promise<InviteeFact | undefined> {
        orAway()
        return seats.get(uri)?.invitee
      },
      async listEvents({ minStartTime, maxStartTime }: { minStartTime: number; maxStartTime: number }) {
        orAway()
        world.asked.push('look up')
        return [...seats.values()]
          .map(({ event }) => event)
          .filter(({ startTime }) => startTime >= minStartTime && startTime <= maxStartTime)
          .filter(({ uri }) => now() >= (shownAt.get(uri) ?? 0))
      },
      async listInvitees(uri: string) {
        orAway()
        return [...seats.values()].filter(({ event }) => event.uri === uri).map(({ invitee }) => invitee)
      },
      dropAvailability() {}
    }
  }

  function orAway(): void {
    if (world.isAway) throw new AppError('calendly_unavailable')
  }

  function keep(seat: Seen): Seen {
    seats.set(seat.invitee.uri, seat)
    world.told.push(seat)
    return seat
  }

  function post({ startTime, tracking }: InviteeRequest, fate: Fate): InviteeOutcome {
    const lost = { kind: 'ambiguous', cause: new Error('reset') } as const
    if (fate === 'away') return { kind: 'not_done', detail: 'Connection refused' }
    if (fate === 'dropped') return lost
    if (fate === 'refused') return refusal('missing_answer')
    if (fate === 'quota') return refusal('quota')
    const endTime = startTime + 30 * minuteMs
    const isOurs = world.active().some(({ event }) => event.startTime < endTime && startTime < event.endTime)
    if (isOurs || world.taken.has(startTime)) return fate === 'done' ? refusal('already_filled') : lost
    const { invitee, event } = world.add(startTime, { tracking })
    if (fate === 'late') shownAt.set(event.uri, now() + lateMs)
    return fate === 'done' ? { kind: 'done', invitee } : lost
  }

  function cancelWith(seat: Seen | undefined, fate: Fate): CancelOutcome {
    const lost = { kind: 'ambiguous', cause: new Error('reset') } as const
    if (fate === 'away' || fate === 'quota') return { kind: 'not_done', detail: 'Connection refused' }
    if (fate === 'dropped') return lost
    if (fate === 'refused') return { kind: 'refused', reason: 'not_allowed', detail: 'Calendly’s words' }
    if (!seat) return { kind: 'refused', reason: 'not_found', detail: 'Not found' }
    if (seat.invitee.status === 'canceled') {
      return fate !== 'done'
        ? lost
        : { kind: 'refused', reason: 'already_canceled', detail: 'Already canceled' }
    }
    const { invitee } = world.cancel(seat, 'host')
    return fate === 'done' ? { kind: 'done', cancellation: invitee.cancellation ?? {} } : lost
  }

  return world
}

export type LittleCalendly = ReturnType<typeof littleCalendly>

function refusal(reason: 'missing_answer' | 'quota' | 'already_filled'): InviteeOutcome {
  return { kind: 'refused', refusal: { reason, detail: `Calendly says ${reason}` } }
}

/** The host that all of it is about. */
export { host }
