import { createRequire } from 'node:module'
import { type EventType, isMeeting, type ScheduledEvent, type User } from './records.ts'
import { type Rule, wdays } from './seed.ts'
import { type Block, collide } from './timeline.ts'

// As CommonJS: its ES modules load all of date-fns, which costs every start a second.
const dateFnsTz: typeof import('date-fns-tz') = createRequire(import.meta.url)('date-fns-tz')
const { formatInTimeZone, fromZonedTime } = dateFnsTz

const minuteMs = 60_000
const dayMs = 86_400_000

export type Slot = { start: number; seats: number }

/** The times from `from` to `to` that can be booked at the moment `now`, all in epoch milliseconds. */
export function openSlots(eventType: EventType, from: number, to: number, now: number): Slot[] {
  return startsWithin(eventType, from, to, now)
    .map((start) => ({ start, seats: seatsAt(eventType, start) }))
    .filter(({ seats }) => seats > 0)
}

/** Whether the host's hours and the notice allow that start, leaving aside what is booked already. */
export function isOffered(eventType: EventType, start: number, now: number): boolean {
  return startsWithin(eventType, start, start + 1, now).length > 0
}

/** Free seats at that start, `leaving` counted as gone. */
export function seatsAt(eventType: EventType, start: number, leaving?: ScheduledEvent): number {
  const block = blockAt(eventType, start)
  const inTheWay = eventType.host.timeline
    .between(block.bufferedStart, block.bufferedEnd)
    .filter((other) => other !== leaving && collide(block, other))
  const session = inTheWay.find((other) => isMeeting(other) && isSessionAt(other, eventType, start))
  if (inTheWay.some((other) => other !== session)) return 0
  return eventType.invitee_limit - (session && isMeeting(session) ? activeInvitees(session) : 0)
}

/** The meeting of that event type that starts exactly then and has not been canceled. */
export function sessionAt(eventType: EventType, start: number): ScheduledEvent | undefined {
  return eventType.host.timeline
    .between(start, start + 1)
    .filter(isMeeting)
    .find((event) => isSessionAt(event, eventType, start))
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

const isSessionAt = (event: ScheduledEvent, eventType: EventType, start: number) =>
  event.eventType === eventType && event.start === start

function startsWithin(eventType: EventType, from: number, to: number, now: number): number[] {
  const earliest = Math.max(from, now + 1, now + eventType.minimum_notice_minutes * minuteMs)
  if (earliest >= to) return []
  const lengthMs = eventType.duration * minuteMs
  const stepMs = eventType.increment_minutes * minuteMs
  return hours(eventType.host, earliest, to).flatMap(([opens, closes]) => {
    const first = opens + Math.max(0, Math.ceil((earliest - opens) / stepMs)) * stepMs
    const starts: number[] = []
    for (let start = first; start + lengthMs <= closes && start < to; start += stepMs) starts.push(start)
    return starts
  })
}

/** The host's working hours on every local day that the range touches. */
function hours({ timezone, rules }: User, from: number, to: number): [opens: number, closes: number][] {
  const last = formatInTimeZone(to, timezone, 'yyyy-MM-dd')
  const found: [number, number][] = []
  let date = formatInTimeZone(from, timezone, 'yyyy-MM-dd')
  while (date <= last) {
    for (const interval of intervalsOn(rules, date)) {
      found.push([instantOf(date, interval.from, timezone), instantOf(date, interval.to, timezone)])
    }
    date = new Date(Date.parse(date) + dayMs).toISOString().slice(0, 10)
  }
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
