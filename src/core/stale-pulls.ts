import type { CalendlyDelivery, EventFact, InviteeFact } from './calendly.ts'
import type { Delivery } from './deliveries.ts'
import { AppError } from './errors.ts'
import type { Facts } from './facts.ts'
import { type InboxTables, mostAttempts, pauseAfter } from './inbox.ts'
import type { Seen } from './look-up.ts'
import { applyNoShow } from './no-shows.ts'
import type { Predecessors } from './predecessors.ts'
import type { System } from './system.ts'

/** Who holds it reads what stale deliveries spoke of. */
export const pullLease = 'stale deliveries'

/** How long what is being read is left to whoever took it. */
const takenMs = 30_000
const shortestRestMs = 5_000
const longestRestMs = 300_000
const lost = 'subject_not_found'

type Deps = {
  system: System
  facts: Facts
  predecessors: Predecessors
  transact: <T>(work: (tables: InboxTables) => Promise<T>) => Promise<T>
  read: (body: Uint8Array) => CalendlyDelivery | undefined
  calendly: {
    findEvent: (uri: string) => Promise<EventFact | undefined>
    findInvitee: (uri: string) => Promise<InviteeFact | undefined>
    dropAvailability: (eventType: string, hosts: readonly string[]) => void
    dropEventType: (eventType: string) => void
  }
  log: Record<'warn' | 'error', (fields: object, phrase: string) => void>
}

/** Reads from Calendly what stale deliveries spoke of, instead of believing them. */
export function createStalePulls({ system, facts, predecessors, transact, read, calendly, log }: Deps) {
  let restsUntil = Number.NEGATIVE_INFINITY
  let failures = 0

  return {
    /** All that wait, one subject after the other. For whoever holds the lease with this epoch. */
    async work(epoch: number, signal: AbortSignal): Promise<void> {
      while (!signal.aborted && system.now() >= restsUntil) {
        const taken = await transact(({ deliveries }) => deliveries.takeStale(takenMs))
        const [first] = taken
        if (!first) return
        try {
          await pull(first, taken, epoch)
          failures = 0
        } catch (error) {
          if (isAway(error)) rest(error)
          else await giveBack(taken, error)
        }
      }
    }
  }

  /** One read for all: they speak of the same. */
  async function pull(first: Delivery, taken: readonly Delivery[], epoch: number): Promise<void> {
    const message = taken.map(({ body }) => read(body)).find((each) => each !== undefined)
    const found = message?.invitee ? await find(first.tenantId, message.invitee) : []
    const reason = !message ? 'unreadable' : message.invitee && found.length === 0 ? lost : undefined
    const ids = taken.map(({ id }) => id)
    await transact(async (tables) => {
      const { deliveries } = tables
      if (!(await deliveries.isPullHeld(epoch))) return
      if (reason !== undefined) return deliveries.settlePulled(ids, 'quarantined', reason)
      await deliveries.settlePulled(ids, 'processed')
      await apply(tables, first.tenantId, found, taken)
    })
    for (const { event } of found) forgetTimes(event)
    if (message?.eventType !== undefined) calendly.dropEventType(message.eventType)
  }

  /** The invitee as it is now, last, after those whom it was moved from. Nothing where Calendly knows none. */
  async function find(tenantId: string, { uri }: InviteeFact): Promise<Seen[]> {
    const invitee = await calendly.findInvitee(uri)
    const event = invitee && (await calendly.findEvent(invitee.event))
    if (!invitee || !event) return []
    return [...(await predecessors.find(tenantId, invitee)), { invitee, event }]
  }

  async function apply(
    tables: InboxTables,
    tenantId: string,
    found: readonly Seen[],
    taken: readonly Delivery[]
  ): Promise<void> {
    for (const { invitee, event } of found) await facts.apply(tables, tenantId, invitee, event, 'webhook')
    const last = found.at(-1)
    const isOfNoShow = taken.some(({ event }) => event?.startsWith('invitee_no_show.'))
    const now = system.now()
    if (last && isOfNoShow) await applyNoShow(tables, tenantId, last.invitee, { now, toldAt: now })
  }

  function forgetTimes({ eventType, hosts }: EventFact): void {
    if (eventType === undefined) return
    calendly.dropAvailability(
      eventType,
      hosts.map(({ user }) => user)
    )
  }

  /** What was taken is due again by itself. */
  function rest(error: AppError): void {
    const ms = Math.min(longestRestMs, shortestRestMs * 2 ** failures++) * (0.5 + system.random() / 2)
    restsUntil = system.now() + Math.max(ms, error.retryAfterMs ?? 0)
    log.warn({ err: error, ms }, 'stale webhooks wait for Calendly')
  }

  async function giveBack(taken: readonly Delivery[], error: unknown): Promise<void> {
    const reason = error instanceof Error ? error.message : 'unknown'
    for (const delivery of taken) {
      const attempt = delivery.attempts + 1
      const isDead = attempt >= mostAttempts
      log.error({ err: error, delivery: delivery.id, attempt }, isDead ? 'webhook is dead' : 'webhook failed')
      const retryInMs = isDead ? undefined : pauseAfter(attempt, system)
      await transact(({ deliveries }) => deliveries.fail(delivery, reason, retryInMs))
    }
  }
}

export type StalePulls = ReturnType<typeof createStalePulls>

function isAway(error: unknown): error is AppError {
  return error instanceof AppError && /^(calendly|database)_unavailable$/.test(error.code)
}
