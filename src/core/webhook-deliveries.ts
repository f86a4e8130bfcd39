import { type AuditTables, actorOf } from './audit.ts'
import type { Caller } from './callers.ts'
import type { Cursors } from './cursor.ts'
import type { Delivery, DeliveryStatus } from './deliveries.ts'
import { AppError } from './errors.ts'
import type { Execution, IdempotencyTables } from './idempotency.ts'
import type { System } from './system.ts'

/** A delivery as its keeper sees it. */
export type KeptDelivery = Omit<Delivery, 'digest' | 'body'> & {
  receivedAt: number
  processedAt?: number | undefined
  /** When it is tried next, while there is something to do. */
  dueAt?: number | undefined
}

export type DeliveryFilter = {
  status?: DeliveryStatus | undefined
  event?: string | undefined
  limit: number
}

/** Kept deliveries outside a transaction. */
export type KeptDeliveryReads = {
  /** Newest first, ids below `before` only. */
  list: (
    tenantId: string,
    filter: DeliveryFilter & { before?: string | undefined }
  ) => Promise<KeptDelivery[]>
  find: (tenantId: string, id: string) => Promise<(KeptDelivery & { body: Buffer }) | undefined>
}

type Tables = IdempotencyTables &
  AuditTables & {
    webhookDeliveries: {
      /** Received again, with no attempt made, due at once; undefined where there is none. */
      replay: (tenantId: string, id: string) => Promise<KeptDelivery | undefined>
    }
  }

type Deps = {
  system: Pick<System, 'now'>
  cursors: Cursors
  transact: <T>(work: (tables: Tables) => Promise<T>) => Promise<T>
  reads: KeptDeliveryReads
}

const list = 'webhook_deliveries'

/** What Calendly has sent, for people. */
export function createWebhookDeliveries({ system, cursors, transact, reads }: Deps) {
  async function get({ tenantId }: Caller, id: string): Promise<KeptDelivery & { body: Buffer }> {
    const found = await reads.find(tenantId, id)
    if (!found) throw new AppError('not_found')
    return found
  }

  return {
    get,

    /** Newest first. */
    async list(
      { tenantId }: Caller,
      { cursor, ...filter }: DeliveryFilter & { cursor?: string | undefined }
    ): Promise<{ deliveries: KeptDelivery[]; nextCursor: string | null }> {
      const before = cursor === undefined ? undefined : cursors.decode(list, cursor)
      const page = await reads.list(tenantId, { ...filter, before, limit: filter.limit + 1 })
      const deliveries = page.slice(0, filter.limit)
      const last = page.length > filter.limit ? deliveries.at(-1) : undefined
      return { deliveries, nextCursor: last ? cursors.encode(list, last.id) : null }
    },

    /** Has it applied once more, and what was set aside believed. What was applied before changes nothing. */
    async replay(caller: Caller, id: string, execution: Execution): Promise<KeptDelivery> {
      if (execution.subject !== undefined) return get(caller, execution.subject)
      const { tenantId } = caller
      return transact(async (tables) => {
        const replayed = await tables.webhookDeliveries.replay(tenantId, id)
        if (!replayed) throw new AppError('not_found')
        await tables.audit.add({
          tenantId,
          at: system.now(),
          actor: actorOf(caller),
          action: 'webhook_delivery.replayed',
          subject: id,
          detail: {}
        })
        await execution.begin(tables, id)
        return replayed
      })
    }
  }
}

export type WebhookDeliveries = ReturnType<typeof createWebhookDeliveries>
