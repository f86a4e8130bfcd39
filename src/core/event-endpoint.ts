import type { NewsType } from './news-types.ts'

/** Where a tenant's events are sent. */
export type EventEndpoint = {
  id: string
  tenantId: string
  url: string
  types: readonly NewsType[]
  description?: string | undefined
  status: 'enabled' | 'disabled'
  /** `gone`: it answered 410. `failing`: nothing reached it for too long. */
  disabledReason?: 'requested' | 'gone' | 'failing' | undefined
  /** First failure since its last success. */
  failingSince?: number | undefined
  createdAt: number
  updatedAt: number
}

/** One attempt to tell an endpoint of an event. Without `status` there was no answer. */
export type Attempt = {
  kind: 'delivered' | 'failed'
  /** HTTP */
  status?: number | undefined
  /** A short phrase, nothing secret in it. */
  error?: string | undefined
  durationMs: number
  /** What a failed answer asked for. */
  retryAfterMs?: number | undefined
}

/** How a replaced secret goes on signing. */
export const secretOverlapMs = 24 * 3_600_000

/** What the secrets of an endpoint are sealed for, so that none opens for another. */
export const secretPurpose = ({ tenantId, id }: Pick<EventEndpoint, 'tenantId' | 'id'>): string =>
  `event endpoint\n${tenantId}\n${id}`
