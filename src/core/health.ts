import { type Caller, hasScope } from './callers.ts'
import { connectedTenant } from './connection.ts'
import type { EventLogState } from './event-log.ts'
import type { ReconciliationTotals } from './reconciliation-report.ts'
import type { RefundTotals } from './refund-report.ts'
import { isHealthy, type SubscriptionReport } from './subscription.ts'
import type { System } from './system.ts'

export type CalendlyHealth = 'ok' | 'degraded' | 'down'

/** What the client knows of itself, without asking anybody; counted since it was opened. */
export type CalendlyReport = {
  keys: readonly { name: string; lastFour: string; health: 'ok' | 'cooling' | 'invalid' }[]
  /** A call was refused for want of quota, and there is none yet. */
  isQuotaUsedUp: boolean
  breakers: readonly {
    name: 'reads' | 'writes'
    state: 'closed' | 'open' | 'half_open'
    retryAt?: number | undefined
  }[]
  cache: {
    entries: number
    bytes: number
    evicted: number
    kinds: Readonly<
      Record<string, { hits: number; stale: number; misses: number; coalesced: number; negative: number }>
    >
  }
  /** Calls that failed since the last one that did not. */
  failuresInARow: number
  /** Exchanges with Calendly, and those of them that repeated an earlier one. */
  calls: number
  retries: number
  /** By endpoint; percentiles are milliseconds over the latest exchanges. */
  requests: Readonly<
    Record<
      string,
      {
        count: number
        errors: number
        errorsByClass: Readonly<Record<string, number>>
        retries: number
        p50: number
        p95: number
        p99: number
        totalMs: number
      }
    >
  >
}

/** What is left to a Calendly user, as all replicas see it. Instants are epoch milliseconds. */
export type QuotaReport = {
  /** URI. */
  user: string
  limit?: number | undefined
  remaining?: number | undefined
  resetAt?: number | undefined
  restsUntil?: number | undefined
  bookings: readonly {
    limit: number
    windowMs: number
    used: number
    nextFreeAt?: number | undefined
    /** When, at the present rate, the window will be used up. */
    runsOutAt?: number | undefined
  }[]
}

/** A key as the database knows it; without the database what the client knows. */
export type KeyReport = CalendlyReport['keys'][number] & {
  state?: 'pending' | 'active' | 'expiring' | 'retiring' | 'revoked' | undefined
  priority?: number | undefined
  createdAt?: number | undefined
  ageDays?: number | undefined
  usageCount?: number | undefined
  usageLimit?: number | undefined
  quota?:
    | { limit?: number | undefined; remaining?: number | undefined; resetAt?: number | undefined }
    | undefined
}

type Inbox = { waiting: number; dead: number; lagMs: number; lastReceivedAt?: number | undefined }

/** What other services are still to be told. */
export type OutboxState = {
  pending: number
  /** Given up. */
  dead: number
  /** How late the attempt is that should have been made first. */
  lagMs: number
  /** When the oldest event happened that somebody is still to be told of. */
  oldestPendingAt?: number | undefined
  endpoints: { enabled: number; disabled: number }
}

type Deps = {
  system: Pick<System, 'now' | 'sleep'>
  database: {
    eventLog: { state: () => Promise<EventLogState> }
    kind: string
    ping: () => Promise<void>
    schemaIsCurrent: () => Promise<boolean>
    inbox: { state: () => Promise<Inbox> }
    outbox: { state: () => Promise<OutboxState> }
    oldestUnresolved: () => Promise<number | undefined>
    incidents: () => Promise<{ bookingOverlaps: number; holdsLost: number; secondPosts: number }>
    reconciliations: { totals: () => Promise<ReconciliationTotals> }
    refundTotals: () => Promise<RefundTotals>
  }
  calendly: { health: () => CalendlyReport; quotas: () => Promise<readonly QuotaReport[]> }
  keys: () => Promise<readonly KeyReport[]>
  /** Undefined until any replica has looked for it, and where none is kept. */
  subscription: () => Promise<SubscriptionReport | undefined>
  /** Of events, by outcome. */
  attempts: () => Readonly<Record<'delivered' | 'failed' | 'dead', number>>
  version: string
}

/** How long a database may take to say how it is; whoever asks wants to hear just when it does not answer. */
const patienceMs = 3_000

/** How the service and what it stands on are doing. Nothing here asks Calendly: probes must not use its quota. */
export function createHealth({ system, database, calendly, keys, subscription, attempts, version }: Deps) {
  const startedAt = system.now()
  let isDraining = false
  let requests = 0

  return {
    version,

    /** From now on not ready, so that no new requests are sent here. */
    drain(): void {
      isDraining = true
    },

    /** A request of our API has come in. */
    countRequest(): void {
      requests++
    },

    /** Whether requests can be served: never a matter of Calendly. */
    async isReady(): Promise<boolean> {
      if (isDraining) return false
      const isUp = async () => {
        await database.ping()
        return database.schemaIsCurrent()
      }
      return isUp().catch(() => false)
    },

    /** The queues are only looked at where somebody may see them: strangers may ask as often as they like. */
    async service(isDetailed: boolean) {
      const [isReachable = false, inbox, outbox] = await Promise.all([
        soon(() => database.ping().then(() => true)),
        isDetailed ? soon(database.inbox.state) : undefined,
        isDetailed ? soon(database.outbox.state) : undefined
      ])
      return {
        isOk: isReachable && !isDraining,
        version,
        uptimeMs: system.now() - startedAt,
        database: { engine: database.kind, isReachable },
        inbox,
        outbox
      }
    },

    /** Attempts to tell other services are this process's own; the rest is undefined while the database does not answer. */
    async deliveries() {
      const [log, outbox] = await Promise.all([soon(database.eventLog.state), soon(database.outbox.state)])
      return { attempts: attempts(), log, outbox }
    },

    /** Undefined while the database does not answer. */
    refundTotals: () => soon(database.refundTotals),

    calendlyStatus: async (): Promise<CalendlyHealth> =>
      statusOf(calendly.health(), await soon(subscription)),

    /** What the database would have to say is undefined while it does not answer. */
    async calendlyDetails() {
      const [known, seen, quotas, inbox, oldestUnresolvedAt, incidents, reconciliations] = await Promise.all([
        soon(keys),
        soon(subscription),
        soon(calendly.quotas),
        soon(database.inbox.state),
        soon(database.oldestUnresolved),
        soon(database.incidents),
        soon(database.reconciliations.totals)
      ])
      const report = calendly.health()
      return {
        report,
        subscription: seen,
        callsPerRequest: requests === 0 ? 0 : report.calls / requests,
        keys: known?.filter(({ state }) => state !== 'revoked') ?? report.keys,
        quotas,
        inbox,
        oldestUnresolvedAt,
        incidents,
        reconciliations
      }
    }
  }

  async function soon<T>(ask: () => Promise<T>): Promise<T | undefined> {
    const answered = new AbortController()
    const nothing = () => undefined
    const late = system.sleep(patienceMs, answered.signal).then(nothing, nothing)
    return Promise.race([ask().catch(nothing), late]).finally(() => answered.abort())
  }
}

export type Health = ReturnType<typeof createHealth>
export type DeliveryReport = Awaited<ReturnType<Health['deliveries']>>
export type ServiceReport = Awaited<ReturnType<Health['service']>>
export type CalendlyDetails = Awaited<ReturnType<Health['calendlyDetails']>>

/** Who may see how things are in detail: no other tenant's admin, to whom they do not belong. */
export const isOperator = (caller: Caller | undefined) =>
  caller?.tenantId === connectedTenant && hasScope(caller, 'admin')

/** `down` when no key works, no read is tried or three calls in a row failed; `degraded` when anything is amiss. */
function statusOf(report: CalendlyReport, subscription: SubscriptionReport | undefined): CalendlyHealth {
  const { keys, breakers, failuresInARow } = report
  const isOpen = breakers.some(({ name, state }) => name === 'reads' && state === 'open')
  if (keys.every(({ health }) => health === 'invalid') || isOpen || failuresInARow >= 3) return 'down'
  const isFine =
    failuresInARow === 0 &&
    !report.isQuotaUsedUp &&
    keys.every(({ health }) => health === 'ok') &&
    breakers.every(({ state }) => state === 'closed') &&
    (subscription === undefined || isHealthy(subscription))
  return isFine ? 'ok' : 'degraded'
}
