import { actorOf } from './audit.ts'
import type { Caller } from './callers.ts'
import { connectedTenant, requireConnection } from './connection.ts'
import { AppError } from './errors.ts'
import type { Execution } from './idempotency.ts'
import { createRecent } from './recent.ts'
import type { ShownSubscription, SubscriptionReport } from './subscription.ts'
import type { Guardian } from './subscription-guardian.ts'
import type { SubscriptionReads } from './subscription-tables.ts'
import type { System } from './system.ts'

/** How old the report may be by which health is judged: strangers may ask for that as often as they like. */
const lastsMs = 1_000

const unconfigured =
  'No subscription is kept: set PUBLIC_URL to the address where Calendly reaches this service, and ' +
  'CALENDLY_WEBHOOK_SIGNING_KEY to a random string.'

type Deps = {
  system: Pick<System, 'now'>
  reads: SubscriptionReads
  /** Undefined where no subscription is kept. */
  guardian: Guardian | undefined
  /** Runs with the lease of the subscription, once nobody else has it. */
  inTurn: <T>(run: (epoch: number) => Promise<T>) => Promise<T>
}

/** Our webhook subscription at Calendly: kept by itself, shown, made sure of and given a new key on request. */
export function createSubscriptions({ system, reads, guardian, inTurn }: Deps) {
  const recall = createRecent<SubscriptionReport | undefined>({ system, changes: () => checked, lastsMs })
  let checked = 0
  let failed = 0

  async function counted<T>(run: Promise<T>): Promise<T> {
    try {
      return await run
    } catch (error) {
      failed++
      throw error
    } finally {
      checked++
    }
  }

  function requireGuardian({ tenantId }: Caller): Guardian {
    requireConnection(tenantId)
    if (!guardian) throw new AppError('subscription_not_kept', unconfigured)
    return guardian
  }

  async function show({ tenantId }: Pick<Caller, 'tenantId'>): Promise<ShownSubscription> {
    const none = { state: 'missing', events: [] } as const
    if (tenantId !== connectedTenant) {
      return { ...none, detail: 'No Calendly account is connected for this tenant.' }
    }
    const lastDeliveryAt = await reads.lastDeliveryAt(tenantId)
    if (!guardian) return { ...none, lastDeliveryAt, detail: unconfigured }
    const report = await reads.find(tenantId)
    if (!report) return { ...none, lastDeliveryAt, detail: 'Calendly has not been asked yet.' }
    return { ...report, lastDeliveryAt }
  }

  return {
    show,

    isKept: guardian !== undefined,

    /** As any replica has left it, for health; undefined before the first look and where none is kept. */
    lastSeen: async (): Promise<SubscriptionReport | undefined> =>
      guardian && recall('', () => reads.find(connectedTenant)),

    /** Looks made by this replica. */
    checks: () => ({ done: checked - failed, failed }),

    /** What happens without being asked for, with the lease of that epoch. */
    async check(epoch: number): Promise<void> {
      if (guardian) await counted(guardian.check(epoch))
    },

    /** Makes sure that one is active now. Throws `subscription_not_kept` and `calendly_unavailable`. */
    async ensure(caller: Caller): Promise<ShownSubscription> {
      const { check } = requireGuardian(caller)
      await inTurn((epoch) => counted(check(epoch)))
      return show(caller)
    },

    /** A new subscription with a new key; the old key verifies for 25 h more. Throws as `ensure` does. */
    async rotate(caller: Caller, execution: Execution): Promise<ShownSubscription> {
      const { rotate } = requireGuardian(caller)
      await inTurn((epoch) => counted(rotate(epoch, { execution, actor: actorOf(caller) })))
      return show(caller)
    }
  }
}

export type Subscriptions = ReturnType<typeof createSubscriptions>
