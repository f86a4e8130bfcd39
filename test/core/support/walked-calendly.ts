import type { EventFact, InviteeFact } from '../../../src/core/calendly.ts'
import { AppError } from '../../../src/core/errors.ts'
import { anEvent, anInvitee } from '../../support/samples.ts'

type Range = { from: number; to?: number | undefined }
type Place = { index: number }

/** A Calendly that can be walked through, some at a time, and that notes what it is asked. */
export function walkedCalendly(pageSize = 100) {
  const events = new Map<string, EventFact>()
  const invitees = new Map<string, InviteeFact[]>()
  const world = {
    pageSize,
    asked: [] as string[],
    /** Thrown by the next calls, one each. */
    failures: [] as (Error | undefined)[],
    /** What happens before an answer is given. */
    beforeAnswer: async (_asked: string) => {},
    unreadable: new Set<string>(),
    events,
    /** One event with one invitee, unless told otherwise. */
    book(name: string, event: Partial<EventFact> = {}, ...people: Partial<InviteeFact>[]): EventFact {
      const made = anEvent(name, event)
      const seats = (people.length > 0 ? people : [{}]).map((person, n) =>
        anInvitee(name, {
          ...(n > 0 && { uri: `${made.uri}/invitees/${name}-${n}`, email: `${name}-${n}@example.com` }),
          ...person
        })
      )
      invitees.set(made.uri, seats)
      return keep(made)
    },
    join(name: string, person: Partial<InviteeFact> = {}): void {
      const { uri } = anEvent(name)
      const seats = invitees.get(uri) ?? []
      const number = seats.length
      const own = { uri: `${uri}/invitees/${name}-${number}`, email: `${name}-${number}@example.com` }
      invitees.set(uri, [...seats, anInvitee(name, { ...own, ...person })])
      keep(events.get(uri) ?? anEvent(name))
    },
    /** The invitee of an event changes; an event without active ones is canceled. */
    change(name: string, changes: Partial<InviteeFact>, number = 0): void {
      const { uri } = anEvent(name)
      const seats = (invitees.get(uri) ?? []).map((one, n) => (n === number ? { ...one, ...changes } : one))
      invitees.set(uri, seats)
      const isLive = seats.some(({ status }) => status === 'active')
      keep({ ...(events.get(uri) ?? anEvent(name)), ...(!isLive && { status: 'canceled' }) })
    },
    cancel(name: string, number = 0): void {
      const cancellation = { cancelerType: 'invitee', createdAt: anInvitee(name).createdAt + 1000 }
      world.change(name, { status: 'canceled', cancellation }, number)
    },
    move(name: string, to: string, startTime: number): void {
      const [old] = invitees.get(anEvent(name).uri) ?? []
      const next = anInvitee(to, { oldInvitee: old?.uri, tracking: old?.tracking ?? {} })
      world.change(name, { status: 'canceled', rescheduled: true, newInvitee: next.uri })
      world.book(to, { startTime }, next)
    },
    forget(name: string): void {
      events.delete(anEvent(name).uri)
    },
    calendly: {
      async pageOfEvents({ from, to }: Range, place?: Place) {
        await answer('events')
        const all = [...events.values()]
          .filter(({ startTime }) => startTime >= from && (to === undefined || startTime < to))
          .sort((one, other) => one.startTime - other.startTime || one.uri.localeCompare(other.uri))
        const begin = place?.index ?? 0
        const index = begin + world.pageSize
        return {
          events: all.slice(begin, index).map((one) => (world.unreadable.has(one.uri) ? undefined : one)),
          next: index < all.length ? { index } : undefined
        }
      },
      async pageOfInvitees(event: string, token = '0') {
        await answer('invitees')
        const begin = Number(token)
        const end = begin + world.pageSize
        const all = invitees.get(event)
        if (!all || !events.has(event)) return undefined
        return { invitees: all.slice(begin, end), next: end < all.length ? String(end) : undefined }
      },
      async lookAtEvent(event: string) {
        await answer('event')
        return events.get(event)
      },
      dropAvailability() {}
    }
  }

  function keep(event: EventFact): EventFact {
    const seats = invitees.get(event.uri) ?? []
    const active = seats.filter(({ status }) => status === 'active').length
    const { limit } = event.inviteesCounter
    const counted = { ...event, inviteesCounter: { total: seats.length, active, limit } }
    events.set(event.uri, counted)
    return counted
  }

  async function answer(asked: string): Promise<void> {
    world.asked.push(asked)
    const failure = world.failures.shift()
    if (failure) throw failure
    await world.beforeAnswer(asked)
  }

  return world
}

export const away = (retryAfterMs?: number) =>
  new AppError('calendly_unavailable', 'Away', retryAfterMs === undefined ? {} : { retryAfterMs })
