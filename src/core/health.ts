import type { System } from './system.ts'

export type CalendlyHealth = 'ok' | 'degraded' | 'down'

type Deps = {
  system: Pick<System, 'now'>
  database: {
    kind: string
    ping: () => Promise<void>
    schemaIsCurrent: () => Promise<boolean>
    inbox: {
      state: () => Promise<{
        waiting: number
        dead: number
        lagMs: number
        lastReceivedAt?: number | undefined
      }>
    }
    oldestUnresolved: () => Promise<number | undefined>
  }
  calendly: {
    health: () => CalendlyReport
  }
  version: string
}

export type CalendlyReport = {
  keys: readonly { name: string; lastFour: string; health: string }[]
  /** Calls that failed since the last one that did not. */
  failuresInARow: number
  requests: Readonly<Record<string, { count: number; errors: number; p50: number; p95: number; p99: number }>>
}

/** How the service and what it stands on are doing. Nothing here asks Calendly: probes must not use its quota. */
export function createHealth({ system, database, calendly, version }: Deps) {
  const startedAt = system.now()
  let isDraining = false

  return {
    /** From now on not ready, so that no new requests are sent here. */
    drain(): void {
      isDraining = true
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
      const [isReachable, inbox] = await Promise.all([
        database.ping().then(
          () => true,
          () => false
        ),
        isDetailed ? database.inbox.state().catch(() => undefined) : undefined
      ])
      return {
        isOk: isReachable && !isDraining,
        version,
        uptimeMs: system.now() - startedAt,
        database: { engine: database.kind, isReachable },
        inbox
      }
    },

    async calendly(isDetailed: boolean) {
      const report = calendly.health()
      const [inbox, oldestUnresolvedAt] = isDetailed
        ? await Promise.all([
            database.inbox.state().catch(() => undefined),
            database.oldestUnresolved().catch(() => undefined)
          ])
        : []
      return { status: statusOf(report), report, inbox, oldestUnresolvedAt }
    }
  }
}

export type Health = ReturnType<typeof createHealth>

/** `down` without a key that works or after three failed calls in a row. */
function statusOf({ keys, failuresInARow }: CalendlyReport): CalendlyHealth {
  if (keys.every(({ health }) => health !== 'ok') || failuresInARow >= 3) return 'down'
  return failuresInARow > 0 || keys.some(({ health }) => health !== 'ok') ? 'degraded' : 'ok'
}
