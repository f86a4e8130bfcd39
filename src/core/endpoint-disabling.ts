import type { EventEndpoint } from './event-endpoint.ts'
import type { EndpointRows } from './event-endpoint-tables.ts'
import type { NewsTables } from './events.ts'

/** An endpoint that fails for so long without a success is disabled. */
export const longestFailureMs = 5 * 86_400_000

export type DisablingTables = NewsTables & {
  eventEndpoints: Pick<EndpointRows, 'lock' | 'update' | 'giveUp'>
}

/** Nothing is sent there any more, and its owner's other endpoints hear of it. False when it is not so any more. */
export async function disableEndpoint(
  { eventEndpoints, events }: DisablingTables,
  { tenantId, id, url }: Pick<EventEndpoint, 'tenantId' | 'id' | 'url'>,
  reason: 'gone' | 'failing',
  now: number
): Promise<boolean> {
  const endpoint = await eventEndpoints.lock(tenantId, id)
  if (endpoint?.status !== 'enabled' || endpoint.url !== url) return false
  if (reason === 'failing' && endpoint.failingSince === undefined) return false
  const disabled: EventEndpoint = {
    ...endpoint,
    status: 'disabled',
    disabledReason: reason,
    updatedAt: now
  }
  await eventEndpoints.update(disabled)
  await eventEndpoints.giveUp(disabled, 'endpoint disabled')
  const data = { endpoint: disabled }
  await events.add({ tenantId, type: 'event_endpoint.disabled', subject: id, at: now, data })
  return true
}
