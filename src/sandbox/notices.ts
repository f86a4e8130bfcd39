import { seconds } from './identifiers.ts'
import type { Invitee, Subscription } from './records.ts'

/** Something that happened to an invitee, told to whoever subscribed to it. */
export type Notice = { event: string; invitee: Invitee }

export function wants({ events, organization, user }: Subscription, { event, invitee }: Notice): boolean {
  const { eventType, hosts } = invitee.event
  return events.includes(event) && eventType.organization === organization && (!user || hosts.includes(user))
}

/** Compact: it survives being parsed and written again, byte for byte. */
export function envelope(event: string, { creator }: Subscription, now: number, payload: unknown): string {
  const created_at = seconds(now).replace('Z', '.000000Z')
  return JSON.stringify({ event, created_at, created_by: creator.uri, payload })
}
