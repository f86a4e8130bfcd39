import type { Booking } from './booking.ts'
import type { BookingReads } from './booking-tables.ts'
import type { EventFact, EventType, InviteeFact } from './calendly.ts'
import type { Caller } from './callers.ts'
import type { ClaimRuleBook } from './claim-rules.ts'
import type { ClaimRules, Wanted } from './claiming.ts'
import { type Asked, endOf } from './conflict.ts'
import type { Conflicts } from './conflicts.ts'
import { checkHold, heldRules, heldTime } from './hold-use.ts'
import type { Offers } from './offers.ts'
import { refuseUnsuited } from './reschedule-carry.ts'
import { type RescheduleRequest, refusalOf, refuseOtherLength, refuseOverlap } from './reschedule-refusals.ts'
import { isTooSoon } from './settings.ts'
import { claimMode } from './slots.ts'
import { findStanding } from './standing.ts'
import type { System } from './system.ts'

export type PlanningDeps = {
  system: System
  reads: Pick<BookingReads, 'findHold'>
  conflicts: Pick<Conflicts, 'refuseIfTaken' | 'lost'>
  claimRules: ClaimRuleBook
  offers: Offers
  calendly: {
    getEventType: (tenantId: string, uri: string) => Promise<EventType>
    listHosts: (eventType: EventType) => Promise<readonly string[]>
    findEvent: (uri: string) => Promise<EventFact | undefined>
    findInvitee: (uri: string) => Promise<InviteeFact | undefined>
  }
}

/** Whose time it is to be, and what is asked of that time. */
export type Plan = {
  eventType: EventType
  asked: Asked
  time: Pick<Wanted, 'hosts' | 'mode' | 'replaces'>
  rules: ClaimRules
}

/** With where the invitee can do it. */
export const sharedSeat = (booking: Booking) =>
  refusalOf(booking, 'group_event', 'Others share this event, which Calendly can only cancel as a whole.')

/** What is read before a reschedule is begun, and refused without a trace. */
export function createReschedulePlanning(deps: PlanningDeps) {
  const { system, reads, conflicts, claimRules, offers, calendly } = deps

  return {
    /** Throws why the booking cannot go to that time. */
    async planOf(caller: Caller, booking: Booking, request: RescheduleRequest): Promise<Plan> {
      const { tenantId } = caller
      const { startTime, holdId } = request
      const eventType = await calendly.getEventType(tenantId, booking.eventType)
      refuseOtherLength(booking, eventType)
      if (request.cancelFirst) refuseUnsuited(booking, eventType)
      if (booking.isGroup) await refuseShared(booking)
      const timeZone = booking.invitee.timezone
      const wanted = { tenantId, eventType, startTime, timeZone, notAt: booking.startTime }
      if (holdId !== undefined) {
        const hold = await reads.findHold(tenantId, holdId)
        checkHold(hold, caller, { eventType: eventType.uri, startTime })
        refuseOverlap(booking, request, eventType, hold.hosts)
        const asked = { ...wanted, hosts: hold.hosts, exclude: [booking.id, hold.id] }
        if (request.cancelFirst) await refuseNotOffered(booking, asked)
        return { eventType, asked, time: heldTime(hold), rules: heldRules(hold) }
      }
      const hosts = await calendly.listHosts(eventType)
      refuseOverlap(booking, request, eventType, hosts)
      const asked = { ...wanted, hosts, exclude: [booking.id] }
      await conflicts.refuseIfTaken(asked)
      const rules = await claimRules.rulesFor(tenantId, eventType, startTime)
      if (isTooSoon(rules.settings, startTime, system.now())) throw await conflicts.lost(asked)
      if (request.cancelFirst) await refuseNotOffered(booking, asked)
      return { eventType, asked, time: { hosts, mode: claimMode(eventType) }, rules }
    }
  }

  /** Nobody's time is given up for one that Calendly would not give. */
  async function refuseNotOffered(booking: Booking, asked: Asked): Promise<void> {
    if (await isKeptByItself(booking, asked)) return
    if (!(await offers.find(asked.eventType, asked.startTime))) throw await conflicts.lost(asked)
  }

  /** Whether the old event, or the buffers around it, would keep Calendly from offering that time. */
  async function isKeptByItself(booking: Booking, asked: Asked): Promise<boolean> {
    const touches = (marginMs: number) =>
      asked.startTime < booking.endTime + marginMs && booking.startTime - marginMs < endOf(asked)
    if (touches(0)) return true
    const event = await calendly.findEvent(booking.calendly.event ?? '')
    const { beforeMs = 0, afterMs = 0 } = event?.buffers ?? {}
    return touches(beforeMs + afterMs)
  }

  async function refuseShared(booking: Booking): Promise<void> {
    const standing = await findStanding(calendly, booking.calendly)
    if (standing.kind === 'active' && standing.isShared) throw sharedSeat(booking)
  }
}
