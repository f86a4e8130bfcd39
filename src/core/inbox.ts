import type { BookingTables } from './booking-tables.ts'
import type { CalendlyDelivery, EventFact, InviteeFact } from './calendly.ts'
import type { Delivery } from './deliveries.ts'
import { AppError } from './errors.ts'
import type { Facts } from './facts.ts'
import { applyNoShow } from './no-shows.ts'
import type { System } from './system.ts'

const mostAttempts = 8
/** How long a pull may take before another worker tries it. */
const pullLeaseMs = 30_000

export type InboxTables = BookingTables & {
  deliveries: {
    /** Locks one received delivery that is due, skipping those others are at. */
    takeDue: () => Promise<Delivery | undefined>
    /** Takes one stale delivery whose subject is to be read, and leases it. */
    takeStale: (leaseMs: number) => Promise<Delivery | undefined>
    /** `processed`, or set aside for good with a reason. */
    settle: (id: string, status: 'processed' | 'quarantined', reason?: string) => Promise<void>
    /** Counts the attempt; without `retryInMs` the delivery is dead. */
    fail: (id: string, reason: string, retryInMs: number | undefined) => Promise<void>
  }
}

/** What a delivery must be about to be applied. */
const subjects = /^(invitee|invitee_no_show)\.(created|canceled|deleted)$/

type Deps = {
  system: System
  facts: Facts
  transact: <T>(work: (tables: InboxTables) => Promise<T>) => Promise<T>
  read: (body: Uint8Array) => CalendlyDelivery | undefined
  calendly: {
    findEvent: (uri: string) => Promise<EventFact | undefined>
    findInvitee: (uri: string) => Promise<InviteeFact | undefined>
    dropAvailability: (eventType: string, hosts: readonly string[]) => void
  }
  log: { error: (fields: object, phrase: string) => void }
}

/** Works off what the intake kept: effect and `processed` share a transaction, so an effect happens once. */
export function createInbox({ system, facts, transact, read, calendly, log }: Deps) {
  return {
    /** Applies one delivery that is due; false when there is none. */
    async processNext(): Promise<boolean> {
      let taken: Delivery | undefined
      try {
        const applied = await transact(async (tables) => {
          taken = await tables.deliveries.takeDue()
          if (!taken) return undefined
          await tables.deliveries.settle(taken.id, 'processed')
          return { event: await apply(tables, taken, read(taken.body)) }
        })
        forgetTimes(applied?.event)
        return applied !== undefined
      } catch (error) {
        if (!taken) throw error
        await giveBack(taken, error)
        return true
      }
    },

    /** Reads from Calendly what a stale delivery spoke of, instead of believing it; false when there is none. */
    async pullNext(): Promise<boolean> {
      const delivery = await transact(({ deliveries }) => deliveries.takeStale(pullLeaseMs))
      if (!delivery) return false
      const subject = read(delivery.body)?.invitee
      const [invitee, event] = subject
        ? await Promise.all([calendly.findInvitee(subject.uri), calendly.findEvent(subject.event)])
        : []
      await transact(async (tables) => {
        if (subject && !(invitee && event)) {
          return tables.deliveries.settle(delivery.id, 'quarantined', 'subject_not_found')
        }
        await tables.deliveries.settle(delivery.id, 'processed')
        if (invitee && event) await facts.apply(tables, delivery.tenantId, invitee, event, 'webhook')
      })
      forgetTimes(event)
      return true
    }
  }

  async function apply(
    tables: InboxTables,
    { tenantId }: Delivery,
    message: CalendlyDelivery | undefined
  ): Promise<EventFact | undefined> {
    const { event, invitee, scheduledEvent } = message ?? {}
    if (event === undefined || !subjects.test(event) || !invitee || !scheduledEvent) return undefined
    await facts.apply(tables, tenantId, invitee, scheduledEvent, 'webhook')
    if (event.startsWith('invitee_no_show.')) await applyNoShow(tables, tenantId, invitee, system.now())
    return scheduledEvent
  }

  function forgetTimes(event: EventFact | undefined): void {
    const hosts = event?.hosts.map(({ user }) => user) ?? []
    if (event?.eventType !== undefined) calendly.dropAvailability(event.eventType, hosts)
  }

  async function giveBack(delivery: Delivery, error: unknown): Promise<void> {
    // A database that is away is nobody's fault: the delivery keeps its attempts.
    if (error instanceof AppError && error.code === 'database_unavailable') throw error
    const attempt = delivery.attempts + 1
    const isDead = attempt >= mostAttempts
    const reason = error instanceof Error ? error.message : 'unknown'
    log.error({ err: error, delivery: delivery.id, attempt }, isDead ? 'webhook is dead' : 'webhook failed')
    const retryInMs = isDead ? undefined : system.random() * Math.min(60_000, 250 * 2 ** attempt)
    await transact(({ deliveries }) => deliveries.fail(delivery.id, reason, retryInMs))
  }
}

export type Inbox = ReturnType<typeof createInbox>
