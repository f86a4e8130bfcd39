import { createRequire } from 'node:module'
import { type EventType, isMeeting, type ScheduledEvent, type Shift, type User } from './records.ts'
import { type Rule, wdays } from './seed.ts'
import { type Block, collide } from './timeline.ts'

// As CommonJS: its ES modules load all of date-fns, which costs every start a second.
const dateFnsTz: typeof import('date-fns-tz') = createRequire(import.meta.url)('date-fns-tz')
const { fromZonedTime } = dateFnsTz

const minuteMs = 60_000
const dayMs = 86_400_000

type Shifts = readonly Shift[]

export type Slot = { start: number; seats: number }

/** Everybody whose time a meeting of that type may take. */
export const hostsOf = ({ pools }: EventType): User[] => [...new Set(pools.flat())]

/** The times from `from` to `to` that can be booked at the moment `now`, all in epoch milliseconds. */
export function openSlots(eventType: EventType, from: number, to: number, now: number): Slot[] {
  const shifts = shiftsOf(eventType, from, to)
  return startsWithin(eventType, from, to, now, shifts)
    .map((start) => ({ start, seats: seatsAt(eventType, start, undefined, shifts) }))
    .filter(({ seats }) => seats > 0)
}

/** Whether the hosts' hours and the notice allow that start, leaving aside what is booked already. */
export function isOffered(eventType: EventType, start: number, now: number): boolean {
  return startsWithin(eventType, start, start + 1, now).length > 0
}

/** Free seats at that start, `leaving` counted as gone. */
export function seatsAt(
  eventType: EventType,
  start: number,
  leaving?: ScheduledEvent,
  shifts = shiftsOf(eventType, start, start)
): number {
  const session = sessionAt(eventType, start)
  if (!session || session === leaving) {
    const hosts = assign(eventType, start, leaving, shifts)
    return hosts.length > 0 ? eventType.invitee_limit : 0
  }
  const block = blockAt(eventType, start)
  if (!session.hosts.every((host) => isFree(host, block, session, leaving))) return 0
  return eventType.invitee_limit - activeInvitees(session)
}

/**
 * Of each pool the host who is free and has the fewest meetings of that type, in the seed's order where several
 * have as few. Nobody at all where a pool has nobody.
 */
export function assign(
  eventType: EventType,
  start: number,
  leaving?: ScheduledEvent,
  shifts = shiftsOf(eventType, start, start)
): User[] {
  const block = blockAt(eventType, start)
  const chosen: User[] = []
  for (const pool of eventType.pools) {
    const free = pool.filter(
      (host) => !chosen.includes(host) && isAtWork(shifts.get(host), block) && isFree(host, block, leaving)
    )
    const meetings = (host: User) => eventType.meetings.get(host) ?? 0
    const [first] = free.length > 1 ? free.sort((one, other) => meetings(one) - meetings(other)) : free
    if (!first) return []
    chosen.push(first)
  }
  return chosen
}

/** The session of a group that starts exactly then and has not been canceled. */
export function sessionAt(eventType: EventType, start: number): ScheduledEvent | undefined {
  const [[host] = []] = eventType.pools
  if (eventType.kind !== 'group') return undefined
  return host?.timeline
    .between(start, start + 1)
    .filter(isMeeting)
    .find((event) => event.eventType === eventType && event.start === start)
}

export const activeInvitees = (event: ScheduledEvent) =>
  event.invitees.filter(({ status }) => status === 'active').length

export function blockAt(eventType: EventType, start: number): Block {
  const end = start + eventType.duration * minuteMs
  return {
    start,
    end,
    bufferedStart: start - eventType.buffer_before_minutes * minuteMs,
    bufferedEnd: end + eventType.buffer_after_minutes * minuteMs
  }
}

function isFree({ timeline }: User, block: Block, ...ignored: (ScheduledEvent | undefined)[]): boolean {
  return !timeline
    .between(block.bufferedStart, block.bufferedEnd)
    .some((other) => !ignored.some((one) => one === other) && collide(block, other))
}

const isAtWork = (shifts: Shifts | undefined, { start, end }: Block) =>
  shifts?.some(([opens, closes]) => opens <= start && end <= closes) ?? false

/** Working hours of every host on every day that the range touches. */
const shiftsOf = (eventType: EventType, from: number, to: number): ReadonlyMap<User, Shifts> =>
  new Map(hostsOf(eventType).map((host) => [host, hours(host, from, to)]))

/** On the clock of a host of the first pool, when somebody of each other pool is at work. */
function startsWithin(
  eventType: EventType,
  from: number,
  to: number,
  now: number,
  shifts = shiftsOf(eventType, from, to)
): number[] {
  const earliest = Math.max(from, now + 1, now + eventType.minimum_notice_minutes * minuteMs)
  if (earliest >= to) return []
  const lengthMs = eventType.duration * minuteMs
  const stepMs = eventType.increment_minutes * minuteMs
  const [firstPool = [], ...otherPools] = eventType.pools
  const starts = new Set<number>()
  for (const host of firstPool) {
    for (const [opens, closes] of shifts.get(host) ?? []) {
      const first = opens + Math.max(0, Math.ceil((earliest - opens) / stepMs)) * stepMs
      for (let start = first; start + lengthMs <= closes && start < to; start += stepMs) starts.add(start)
    }
  }
  const isPossible = (start: number) =>
    otherPools.every((pool) => pool.some((host) => isAtWork(shifts.get(host), blockAt(eventType, start))))
  return [...starts].filter(isPossible).sort((one, other) => one - other)
}

function hours(user: User, from: number, to: number): Shifts {
  const found: Shift[] = []
  // A day on any clock begins less than a day before or after that of UTC.
  for (let day = Math.floor(from / dayMs) - 1; day * dayMs <= to + dayMs; day++) {
    found.push(...shiftsOn(user, day))
  }
  return found
}

/** Working hours on that date of the host's clock, worked out once. */
function shiftsOn({ timezone, rules, shifts }: User, day: number): Shifts {
  const known = shifts.get(day)
  if (known) return known
  const date = new Date(day * dayMs).toISOString().slice(0, 10)
  const found = intervalsOn(rules, date).map(
    ({ from, to }): Shift => [instantOf(date, from, timezone), instantOf(date, to, timezone)]
  )
  shifts.set(day, found)
  return found
}

const instantOf = (date: string, time: string, timezone: string) =>
  fromZonedTime(`${date}T${time}`, timezone).getTime()

/** A rule for a date replaces the one for its day of the week. */
function intervalsOn(rules: readonly Rule[], date: string) {
  const wday = wdays[new Date(date).getUTCDay()]
  const rule =
    rules.find((candidate) => candidate.type === 'date' && candidate.date === date) ??
    rules.find((candidate) => candidate.type === 'wday' && candidate.wday === wday)
  return rule?.intervals ?? []
}
