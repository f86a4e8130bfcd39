import { connectedTenant as tenantId } from './connection.ts'
import { AppError } from './errors.ts'
import type { Execution } from './idempotency.ts'
import type { NewsType } from './news-types.ts'
import { requestReconciliation } from './reconciliation.ts'
import { type SubscriptionReport, subscriptionSubject } from './subscription.ts'
import type { SubscriptionTables } from './subscription-tables.ts'
import type { System } from './system.ts'
import { slotOverlapMs, type WebhookSlot } from './webhook-slots.ts'

/** What may have happened at Calendly in the day before is looked at again as well. */
const marginMs = 24 * 3_600_000

/** Whose turn it is to change the subscription, by the epoch of the lease. */
export type Turn = { epoch: number; actor: string }

/** A time in which webhooks may have been lost. News: somebody was told, or might have noticed. */
export type Gap = { since: number; isNews: boolean }

type Deps = {
  system: Pick<System, 'now' | 'id'>
  transact: <T>(work: (tables: SubscriptionTables) => Promise<T>) => Promise<T>
}

/** What is written of the subscription: nothing by somebody whose turn is over. */
export function createSubscriptionBook({ system, transact }: Deps) {
  const write = <T>({ epoch }: Turn, work: (tables: SubscriptionTables) => Promise<T>): Promise<T> =>
    transact(async (tables) => {
      if (await tables.subscriptions.isHeld(epoch)) return work(tables)
      throw new AppError('calendly_unavailable', 'Somebody else sees to the webhook subscription by now')
    })

  async function tell(
    { events, subscriptions }: SubscriptionTables,
    type: NewsType,
    report: SubscriptionReport
  ): Promise<void> {
    const lastDeliveryAt = await subscriptions.lastDeliveryAt(tenantId)
    const data = { subscription: { ...report, lastDeliveryAt } }
    await events.add({ tenantId, type, subject: subscriptionSubject, at: system.now(), data })
  }

  const note = ({ audit }: SubscriptionTables, { actor }: Turn, action: string, slot: string, detail = {}) =>
    audit.add({ tenantId, at: system.now(), actor, action, subject: slot, detail })

  /** Keeps the report; says once of each occasion that deliveries have begun to fail. */
  async function put(
    tables: SubscriptionTables,
    before: SubscriptionReport | undefined,
    now: SubscriptionReport
  ): Promise<void> {
    await tables.subscriptions.put(tenantId, now)
    const { retryStartedAt, uri } = now
    const isKnown = before?.uri === uri && before?.retryStartedAt === retryStartedAt
    if (retryStartedAt !== undefined && !isKnown) await tell(tables, 'calendly_subscription.failing', now)
  }

  return {
    /** Throws when it is somebody else's turn by now. */
    requireTurn: (turn: Turn): Promise<void> => write(turn, async () => {}),

    /** What was seen, and the slot that the next subscription is to be on. */
    begin: (
      turn: Turn,
      wanted: {
        before: SubscriptionReport | undefined
        seen: SubscriptionReport
        made: WebhookSlot | undefined
        execution: Execution | undefined
      }
    ): Promise<void> =>
      write(turn, async (tables) => {
        const { before, seen, made, execution } = wanted
        await put(tables, before, seen)
        if (!made) return
        await tables.webhookSlots.insert(made)
        await note(tables, turn, 'signing_key.added', made.slot)
        await execution?.begin(tables, made.slot)
      }),

    /** How it stands in the end; every other slot begins to retire, and what was missed will be looked for. */
    finish: (
      turn: Turn,
      ended: { before: SubscriptionReport | undefined; after: SubscriptionReport; gap: Gap | undefined }
    ): Promise<void> =>
      write(turn, async (tables) => {
        const { before, after, gap } = ended
        await put(tables, before, after)
        const retired = await tables.webhookSlots.retireOthers(tenantId, after.slot, slotOverlapMs)
        for (const slot of retired) {
          await note(tables, turn, 'signing_key.retired', slot, {
            verifies_for_seconds: slotOverlapMs / 1000
          })
        }
        if (!gap) return
        const from = gap.since - marginMs
        await requestReconciliation(tables, system, { tenantId, kind: 'calendly', trigger: 'gap', from })
        if (gap.isNews) await tell(tables, 'calendly_subscription.restored', after)
      })
  }
}
