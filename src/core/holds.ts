import type { Transact } from './booking-tables.ts'
import type { EventType } from './calendly.ts'
import type { Caller } from './callers.ts'
import { attemptClaim } from './claim-attempt.ts'
import type { ClaimRuleBook } from './claim-rules.ts'
import { type ClaimRules, claimTime } from './claiming.ts'
import type { Asked } from './conflict.ts'
import type { Conflicts } from './conflicts.ts'
import { AppError } from './errors.ts'
import type { Hold } from './hold.ts'
import type { Execution } from './idempotency.ts'
import { createId } from './ids.ts'
import type { Offers } from './offers.ts'
import { buffersOf, isTooSoon } from './settings.ts'
import { claimMode } from './slots.ts'
import type { System } from './system.ts'

export type HoldRequest = {
  eventType: string
  startTime: number
  ttlMs: number
  /** Of the alternatives that are named where the time cannot be held. */
  timeZone?: string | undefined
}

type Deps = {
  system: System
  transact: Transact
  reads: { findHold: (tenantId: string, id: string) => Promise<Hold | undefined> }
  offers: Offers
  conflicts: Pick<Conflicts, 'refuseIfTaken' | 'lost'>
  claimRules: ClaimRuleBook
  calendly: {
    getEventType: (tenantId: string, uri: string) => Promise<EventType>
    listHosts: (eventType: EventType) => Promise<readonly string[]>
  }
}

/** A hold keeps everybody else from holding or booking its hosts' time. It ends by itself when its time is over. */
export function createHolds({ system, transact, reads, offers, conflicts, claimRules, calendly }: Deps) {
  return {
    /** Throws `slot_unavailable` where the time cannot be booked now. Answers what an earlier run of the request made. */
    async create(caller: Caller, request: HoldRequest, execution: Execution): Promise<Hold> {
      if (execution.subject !== undefined) return getOwn(caller, execution.subject)
      if (request.startTime <= system.now()) throw new AppError('start_time_in_past')
      const asked = await ask(caller, request)
      await conflicts.refuseIfTaken(asked)
      const rules = await judge(asked)
      const { id: ownerId, ...wanted } = draftOf(caller, asked, rules)
      const taken = await attemptClaim(transact, async (tables) => {
        await tables.holds.insert({ ...wanted, id: ownerId }, request.ttlMs)
        await execution.begin(tables, ownerId)
        return claimTime(tables, { ...wanted, ownerId, expiresInMs: request.ttlMs }, rules)
      })
      if (taken.kind !== 'taken') throw await conflicts.lost(asked, taken.kind)
      return getOwn(caller, ownerId)
    },

    /** With its status as it is now. */
    get: getOwn,

    /** Gives the time back at once. Again, or after it has ended by itself, it changes nothing; throws `hold_used`. */
    async release(caller: Caller, id: string): Promise<void> {
      await transact(async (tables) => {
        const hold = await tables.holds.lock(caller.tenantId, id)
        if (!hold || hold.caller !== caller.name) throw new AppError('hold_not_found')
        if (hold.status === 'used') throw new AppError('hold_used')
        if (hold.status !== 'active' || hold.isExpired) return
        await tables.holds.setStatus(hold, 'released', system.now())
        await tables.claims.release(hold.tenantId, hold.id)
      })
    }
  }

  async function getOwn({ tenantId, name }: Caller, id: string): Promise<Hold> {
    const hold = await reads.findHold(tenantId, id)
    if (!hold || hold.caller !== name) throw new AppError('hold_not_found')
    return hold
  }

  async function ask({ tenantId }: Caller, { startTime, timeZone, ...request }: HoldRequest): Promise<Asked> {
    const eventType = await calendly.getEventType(tenantId, request.eventType)
    return { tenantId, eventType, hosts: await calendly.listHosts(eventType), startTime, timeZone }
  }

  /** Whether Calendly offers the time now and our own notice allows it; the rest the claim decides. */
  async function judge(asked: Asked): Promise<ClaimRules> {
    const { tenantId, eventType, startTime } = asked
    const offer = await offers.find(eventType, startTime)
    if (!offer) throw await conflicts.lost(asked)
    const rules = await claimRules.rulesFor(tenantId, eventType, startTime, offer)
    if (isTooSoon(rules.settings, startTime, system.now())) throw await conflicts.lost(asked)
    return rules
  }

  function draftOf(
    { tenantId, name }: Caller,
    { eventType, hosts, startTime }: Asked,
    rules: ClaimRules
  ): Hold {
    const now = system.now()
    return {
      id: createId('hld', system),
      tenantId,
      caller: name,
      status: 'active',
      eventType: eventType.uri,
      isGroup: eventType.kind === 'group',
      startTime,
      endTime: startTime + eventType.durationMinutes * 60_000,
      hosts,
      mode: claimMode(eventType),
      buffers: buffersOf(rules.settings),
      // By the database's clock; known once the row is there.
      expiresAt: now,
      createdAt: now,
      updatedAt: now
    }
  }
}

export type Holds = ReturnType<typeof createHolds>
