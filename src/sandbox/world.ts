import { ApiError, notFound } from './errors.ts'
import { uriOf } from './identifiers.ts'
import type {
  Dated,
  EventType,
  HostBlock,
  Invitee,
  NoShow,
  ScheduledEvent,
  SchedulingLink,
  Subscription,
  Token,
  User
} from './records.ts'
import type { Seed } from './seed.ts'
import { createTimeline } from './timeline.ts'

export type World = ReturnType<typeof createWorld>

/** Everything Calendly would know, in memory. */
export function createWorld(seed: Seed, stamp: () => string) {
  const dated = (collection: string, id: string): Dated => {
    const createdAt = stamp()
    return { uri: uriOf(collection, id), createdAt, updatedAt: createdAt }
  }

  const organizations = byUri(
    seed.organizations.map((organization) => ({
      ...organization,
      ...dated('organizations', organization.id)
    }))
  )
  const users = byUri(
    seed.users.map((user) => ({
      ...user,
      ...dated('users', user.id),
      organization: seeded(organizations, uriOf('organizations', user.organization)),
      plan: user.plan ?? seed.plan,
      timeline: createTimeline<HostBlock>(),
      shifts: new Map()
    }))
  )
  const tokens = seed.tokens.map(
    (token): Token => ({ ...token, user: seeded(users, uriOf('users', token.user)), revoked: false })
  )
  const teams = byUri(
    seed.teams.map((team) => ({
      ...team,
      ...dated('teams', team.id),
      organization: seeded(organizations, uriOf('organizations', team.organization))
    }))
  )
  const userOf = (id: string) => seeded(users, uriOf('users', id))
  const eventTypes = byUri(
    seed.event_types.map(({ host, team, pooling, ...eventType }, position): EventType => {
      const base = {
        ...eventType,
        ...dated('event_types', eventType.id),
        meetings: new Map<User, number>(),
        position
      }
      if (host !== undefined) {
        const user = userOf(host)
        const owner = { type: 'User', user } as const
        return { ...base, owner, organization: user.organization, pooling: null, pools: [[user]] }
      }
      const owner = { type: 'Team', team: seeded(teams, uriOf('teams', team ?? '')) } as const
      return {
        ...base,
        owner,
        organization: owner.team.organization,
        pooling: pooling?.type ?? null,
        pools: pooling?.pools.map((pool) => pool.map(userOf)) ?? []
      }
    })
  )
  const events = new Map<string, ScheduledEvent>()
  const invitees = new Map<string, Invitee>()
  const byEmail = new Map<string, Set<ScheduledEvent>>()

  const world = {
    signingKey: seed.signing_key,
    organizations,
    users,
    tokens,
    eventTypes,
    events,
    invitees,
    noShows: new Map<string, NoShow>(),
    subscriptions: new Map<string, Subscription>(),
    schedulingLinks: new Map<string, SchedulingLink>(),

    addEvent(event: ScheduledEvent) {
      events.set(event.uri, event)
      for (const host of event.hosts) {
        host.timeline.add(event)
        count(event.eventType, host, 1)
      }
    },

    /** The time of its hosts is free again. */
    releaseEvent(event: ScheduledEvent) {
      for (const host of event.hosts) {
        host.timeline.remove(event)
        count(event.eventType, host, -1)
      }
    },

    addInvitee(invitee: Invitee) {
      invitees.set(invitee.uri, invitee)
      invitee.event.invitees.push(invitee)
      const key = invitee.person.email.toLowerCase()
      byEmail.set(key, (byEmail.get(key) ?? new Set()).add(invitee.event))
    },

    eventsOf: (email: string) => [...(byEmail.get(email.toLowerCase()) ?? [])],

    addBusy(user: User, start: number, end: number) {
      user.timeline.add({ start, end, bufferedStart: start, bufferedEnd: end })
    }
  }
  for (const { user, start_time, end_time } of seed.busy) {
    world.addBusy(seeded(users, uriOf('users', user)), Date.parse(start_time), Date.parse(end_time))
  }
  return world
}

function count({ meetings }: EventType, host: User, change: number) {
  meetings.set(host, (meetings.get(host) ?? 0) + change)
}

function byUri<T extends Dated>(records: readonly T[]): Map<string, T> {
  return new Map(records.map((record) => [record.uri, record]))
}

function seeded<T>(records: ReadonlyMap<string, T>, uri: string): T {
  const record = records.get(uri)
  if (!record) throw new ApiError(400, { message: `The seed speaks of ${uri}, which is not in it.` })
  return record
}

/** The record, or Calendly's 404. */
export function get<T>(records: ReadonlyMap<string, T>, uri: string): T {
  const record = records.get(uri)
  if (record === undefined) throw notFound()
  return record
}
