import type { Claim } from './booking-tables.ts'
import type { BusyTime } from './calendly.ts'
import { type Asked, type Conflict, endOf } from './conflict.ts'
import type { OwnConflicts } from './own-conflicts.ts'
import { claimMode } from './slots.ts'

/** Of a larger pool nobody can tell by a few calls why it is not offered. */
const mostHosts = 10

type Deps = {
  own: Pick<OwnConflicts, 'claims'>
  calendly: {
    busyTimes: (user: string, startTime: number, endTime: number) => Promise<readonly BusyTime[]>
  }
}

/** What stands in hosts' calendars at Calendly. */
export function createCalendarConflicts({ own, calendly }: Deps) {
  return {
    /** What of theirs keeps a time from being offered, beyond what we claim ourselves. A call for each host. */
    async find(asked: Asked): Promise<Conflict[]> {
      const { hosts, startTime, eventType } = asked
      if (hosts.length > mostHosts) return []
      const [claims, calendars] = await Promise.all([
        own.claims(asked),
        Promise.all(
          hosts.map(async (host) => ({ host, busy: await calendly.busyTimes(host, startTime, endOf(asked)) }))
        )
      ])
      const isClaimed = (host: string) => claims.some((claim) => claim.host === host)
      // Where any one host will do, a busy one explains nothing as long as another is free.
      const isExplained =
        claimMode(eventType) === 'all' ||
        calendars.every(({ host, busy }) => busy.length > 0 || isClaimed(host))
      if (!isExplained) return []
      return calendars.flatMap(({ host, busy }) =>
        busy
          .filter((time) => time.startTime < endOf(asked) && time.endTime > startTime)
          .filter((time) => !claims.some((claim) => isOf(claim, host, time)))
          .map(({ startTime, endTime }) => ({ kind: 'calendar' as const, startTime, endTime }))
      )
    }
  }
}

export type CalendarConflicts = ReturnType<typeof createCalendarConflicts>

/** Calendly writes our bookings into the calendars, too. */
function isOf(claim: Claim, host: string, { startTime, endTime }: BusyTime): boolean {
  return claim.host === host && claim.startTime === startTime && claim.endTime === endTime
}
