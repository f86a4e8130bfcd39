import type { AuditTables } from './audit.ts'
import type { EventEndpoint } from './event-endpoint.ts'
import type { IdempotencyTables } from './idempotency.ts'

export type EndpointId = Pick<EventEndpoint, 'tenantId' | 'id'>

/** A sealed secret with the endpoint it signs for. */
export type KeptSecret = EndpointId & { secretId: number; sealed: Buffer }

/** Event endpoints inside one transaction. */
export type EndpointRows = {
  /** From here to its end no other transaction adds one for the tenant. */
  lockAndCount: (tenantId: string) => Promise<number>
  insert: (endpoint: EventEndpoint) => Promise<void>
  /** Locks the row until the transaction ends. */
  lock: (tenantId: string, id: string) => Promise<EventEndpoint | undefined>
  update: (endpoint: EventEndpoint) => Promise<void>
  remove: (endpoint: EndpointId) => Promise<void>
  /** Gives up what is still to be sent to it. */
  giveUp: (endpoint: EndpointId, error: string) => Promise<void>
  addSecret: (endpoint: EndpointId, sealed: Buffer) => Promise<void>
  /** Lets the newest secret sign for `overlapMs` more. The number of those that then still sign. */
  retireSecret: (endpoint: EndpointId, overlapMs: number) => Promise<number>
}

export type EndpointTables = IdempotencyTables & AuditTables & { eventEndpoints: EndpointRows }

export type TransactEndpoints = <T>(work: (tables: EndpointTables) => Promise<T>) => Promise<T>

/** The same outside a transaction. */
export type EndpointReads = {
  find: (tenantId: string, id: string) => Promise<EventEndpoint | undefined>
  /** Newest first, ids below `before` only. */
  list: (tenantId: string, page: { before?: string | undefined; limit: number }) => Promise<EventEndpoint[]>
  /** Sealed; those that sign now, newest first. */
  liveSecrets: (endpointId: string) => Promise<Buffer[]>
}

/** Of all tenants. */
export type EndpointSecrets = {
  list: () => Promise<KeptSecret[]>
  /** Puts another seal on the secret, unless it has changed meanwhile. */
  reseal: (secretId: number, from: Buffer, to: Buffer) => Promise<void>
  removeExpired: () => Promise<void>
}
