import type { BookingTables } from './booking-tables.ts'
import type { CalendlyDelivery, EventFact, InviteeFact } from './calendly.ts'
import type { Delivery } from './deliveries.ts'
import { AppError } from './errors.ts'
import type { Facts } from './facts.ts'
import type { Seen } from './look-up.ts'
import { applyNoShow } from './no-shows.ts'
import { isKnown, type Predecessors } from './predecessors.ts'
import type { System } from './system.ts'

export const mostAttempts = 8
/** How long what came before a delivery may take to be read before another worker tries it. */
const waitLeaseMs = 10_000

export type InboxTables = BookingTables & {
  deliveries: {
    /** Locks one received delivery that is due, skipping those others are at. */
    takeDue: () => Promise<Delivery | undefined>
    /** Locks this one, unless it has been dealt with. */
    take: (id: string) => Promise<Delivery | undefined>
    /** It is due again after `leaseMs`. */
    lease: (id: string, leaseMs: number) => Promise<void>
    /** Takes one stale delivery whose subject is to be read, with all that wait for the same; due again after `leaseMs`. */
    takeStale: (leaseMs: number) => Promise<Delivery[]>
    /** `processed`, or set aside for good with a reason. Keeps what it is about. */
    settle: (delivery: Delivery, status: 'processed' | 'quarantined', reason?: string) => Promise<void>
    /** The same for stale ones, but those that somebody has believed meanwhile. */
    settlePulled: (
      ids: readonly string[],
      status: 'processed' | 'quarantined',
      reason?: string
    ) => Promise<void>
    /** Counts the attempt, unless it has been dealt with; without `retryInMs` the delivery is dead. */
    fail: (delivery: Delivery, reason: string, retryInMs: number | undefined) => Promise<void>
    /** Whether the lease on pulls is still the one with this epoch; if so it stays that until the transaction ends. */
    isPullHeld: (epoch: number) => Promise<boolean>
  }
}

type Deps = {
  system: System
  facts: Facts
  predecessors: Predecessors
  transact: <T>(work: (tables: InboxTables) => Promise<T>) => Promise<T>
  read: (body: Uint8Array) => CalendlyDelivery | undefined
  calendly: {
    dropAvailability: (eventType: string, hosts: readonly string[]) => void
    /** Forgets all that is remembered of it. */
    dropEventType: (eventType: string) => void
  }
  log: Record<'warn' | 'error', (fields: object, phrase: string) => void>
}

/** Works off what the intake kept: effect and `processed` share a transaction, so an effect happens once. */
export function createInbox({ system, facts, predecessors, transact, read, calendly, log }: Deps) {
  return {
    /** Applies one delivery that is due; false when there is none. */
    async processNext(): Promise<boolean> {
      let taken: Delivery | undefined
      try {
        const applied = await transact(async (tables) => {
          const due = await tables.deliveries.takeDue()
          if (!due) return undefined
          const message = read(due.body)
          taken = { ...due, ...(message && outlineOf(message)) }
          return processOrLease(tables, taken, message)
        })
        forget(applied)
        if (taken && applied?.waitsFor) await processAfter(taken, applied.waitsFor)
        return applied !== undefined
      } catch (error) {
        if (!taken) throw error
        await giveBack(taken, error)
        return true
      }
    }
  }

  type Applied = {
    event?: EventFact | undefined
    eventType?: string | undefined
    waitsFor?: InviteeFact
  }

  /** Where nothing is known of whom its invitee was moved from, that is asked for first, and not in a transaction. */
  async function processOrLease(
    tables: InboxTables,
    delivery: Delivery,
    message: CalendlyDelivery | undefined
  ): Promise<Applied> {
    const { oldInvitee } = message?.invitee ?? {}
    if (message?.invitee && oldInvitee !== undefined) {
      if (!(await isKnown(tables, delivery.tenantId, oldInvitee))) {
        await tables.deliveries.lease(delivery.id, waitLeaseMs)
        return { waitsFor: message.invitee }
      }
    }
    if (!message) {
      log.warn({ delivery: delivery.id }, 'webhook kept aside: genuine but unreadable')
      await tables.deliveries.settle(delivery, 'quarantined', 'unreadable')
      return {}
    }
    await tables.deliveries.settle(delivery, 'processed')
    return { event: await apply(tables, delivery, message), eventType: message.eventType }
  }

  async function processAfter(taken: Delivery, invitee: InviteeFact): Promise<void> {
    const { id, tenantId } = taken
    const before = await predecessors.find(tenantId, invitee)
    const event = await transact(async (tables) => {
      const delivery = await tables.deliveries.take(id)
      if (!delivery) return undefined
      await tables.deliveries.settle(taken, 'processed')
      await applyInTurn(tables, tenantId, before)
      return apply(tables, delivery, read(delivery.body))
    })
    for (const seen of [...before, { event }]) forget(seen)
  }

  async function applyInTurn(tables: InboxTables, tenantId: string, seen: readonly Seen[]): Promise<void> {
    for (const { invitee, event } of seen) await facts.apply(tables, tenantId, invitee, event, 'webhook')
  }

  async function apply(
    tables: InboxTables,
    { tenantId }: Delivery,
    message: CalendlyDelivery | undefined
  ): Promise<EventFact | undefined> {
    const { invitee, scheduledEvent } = message ?? {}
    if (!invitee || !scheduledEvent) return undefined
    await facts.apply(tables, tenantId, invitee, scheduledEvent, 'webhook')
    if (isOfNoShow(message)) {
      const { createdAt: toldAt } = message ?? {}
      await applyNoShow(tables, tenantId, invitee, { now: system.now(), toldAt })
    }
    return scheduledEvent
  }

  function forget({ event, eventType }: Omit<Applied, 'waitsFor'> = {}): void {
    const hosts = event?.hosts.map(({ user }) => user) ?? []
    if (event?.eventType !== undefined) calendly.dropAvailability(event.eventType, hosts)
    if (eventType !== undefined) calendly.dropEventType(eventType)
  }

  async function giveBack(delivery: Delivery, error: unknown): Promise<void> {
    // A database that is away is nobody's fault: the delivery keeps its attempts.
    if (error instanceof AppError && error.code === 'database_unavailable') throw error
    const attempt = delivery.attempts + 1
    const isDead = attempt >= mostAttempts
    const reason = error instanceof Error ? error.message : 'unknown'
    log.error({ err: error, delivery: delivery.id, attempt }, isDead ? 'webhook is dead' : 'webhook failed')
    const retryInMs = isDead ? undefined : pauseAfter(attempt, system)
    await transact(({ deliveries }) => deliveries.fail(delivery, reason, retryInMs))
  }
}

/** In milliseconds, longer with each. */
export const pauseAfter = (attempt: number, { random }: Pick<System, 'random'>) =>
  random() * Math.min(60_000, 250 * 2 ** attempt)

const outlineOf = ({ event, subject }: CalendlyDelivery) => ({ event, subject })

const isOfNoShow = (message: CalendlyDelivery | undefined) =>
  message?.event.startsWith('invitee_no_show.') ?? false

export type Inbox = ReturnType<typeof createInbox>
