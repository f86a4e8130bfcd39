import type { Caller } from './callers.ts'
import type { Cursors } from './cursor.ts'
import { AppError } from './errors.ts'
import { type Attempt, type EventEndpoint, secretPurpose } from './event-endpoint.ts'
import type { EndpointReads } from './event-endpoint-tables.ts'
import { createId } from './ids.ts'
import { formatInstant } from './instants.ts'
import { type NewsType, testType } from './news-types.ts'
import type { System } from './system.ts'
import type { Vault } from './vault.ts'

/** What became of telling an endpoint of an event. */
export type EventDelivery = {
  eventId: string
  type: NewsType
  /** Of the event in the log. */
  position: number
  status: 'pending' | 'succeeded' | 'failed'
  /** Made so far. */
  attempts: number
  /** While it is pending; of one in flight, when another may be begun if it is never heard of again. */
  dueAt?: number | undefined
  lastAttempt?: (Omit<Attempt, 'kind' | 'retryAfterMs'> & { at: number }) | undefined
}

type DeliveryFilter = {
  /** Positions below this one only: the list is newest first. */
  before?: number | undefined
  limit: number
  status?: EventDelivery['status'] | undefined
}

/** What happened from a moment on, or what was given up. */
export type Replay = { from: number } | { status: 'failed' }

type Deps = {
  system: Pick<System, 'now' | 'id'>
  reads: Pick<EndpointReads, 'find' | 'liveSecrets'>
  cursors: Cursors
  vault: Pick<Vault, 'open'>
  deliveries: {
    list: (tenantId: string, endpointId: string, filter: DeliveryFilter) => Promise<EventDelivery[]>
    /** Queues again; how many events. */
    replay: (tenantId: string, endpointId: string, wanted: Replay) => Promise<number>
  }
  send: (
    endpoint: EventEndpoint,
    secrets: readonly string[],
    event: { id: string; body: Buffer }
  ) => Promise<Attempt>
  /** The public form. */
  present: (endpoint: EventEndpoint) => object
}

/** What was, is and will be sent to an endpoint, as its owner sees it. */
export function createEndpointDeliveries(deps: Deps) {
  const { system, reads, cursors, vault, deliveries, send, present } = deps

  return {
    /** Newest first. */
    async list(
      { tenantId }: Caller,
      id: string,
      { cursor, ...filter }: Omit<DeliveryFilter, 'before'> & { cursor?: string | undefined }
    ) {
      await getEndpoint(tenantId, id)
      const list = `event_deliveries\n${id}`
      const before = cursor === undefined ? undefined : Number(cursors.decode(list, cursor))
      const page = await deliveries.list(tenantId, id, { ...filter, before, limit: filter.limit + 1 })
      const shown = page.slice(0, filter.limit)
      const last = page.length > filter.limit ? shown.at(-1) : undefined
      return { deliveries: shown, nextCursor: last ? cursors.encode(list, String(last.position)) : null }
    },

    /** How many events are queued again. */
    async replay({ tenantId }: Caller, id: string, wanted: Replay): Promise<number> {
      const endpoint = await getEndpoint(tenantId, id)
      if (endpoint.status === 'disabled') {
        throw new AppError('endpoint_disabled', 'Nothing is sent to it: enable it first.')
      }
      return deliveries.replay(tenantId, id, wanted)
    },

    /** Sends an event that is in no log, also to an endpoint that is disabled. */
    async test({ tenantId }: Caller, id: string): Promise<Attempt> {
      const endpoint = await getEndpoint(tenantId, id)
      const sealed = await reads.liveSecrets(id)
      const secrets = sealed.map((secret) => vault.open(secret, secretPurpose(endpoint)))
      return send(endpoint, secrets, testEvent(endpoint))
    }
  }

  async function getEndpoint(tenantId: string, id: string): Promise<EventEndpoint> {
    const endpoint = await reads.find(tenantId, id)
    if (!endpoint) throw new AppError('not_found')
    return endpoint
  }

  function testEvent(endpoint: EventEndpoint): { id: string; body: Buffer } {
    const id = createId('evt', system)
    const event = {
      id,
      type: testType,
      timestamp: formatInstant(system.now()),
      subject: endpoint.id,
      sequence: 0,
      data: { endpoint: present(endpoint) }
    }
    return { id, body: Buffer.from(JSON.stringify(event)) }
  }
}

export type EndpointDeliveries = ReturnType<typeof createEndpointDeliveries>
