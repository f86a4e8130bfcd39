import { z } from 'zod'
import type { CalendlyDelivery } from '../core/calendly.ts'
import type { Outline } from '../core/deliveries.ts'
import { apiOrigin, pathOf } from './uris.ts'
import { instant, optional, reader, text } from './wire.ts'
import { invitee, scheduledEvent } from './wire-bookings.ts'

const aboutInvitee = /^(invitee\.(created|canceled)|invitee_no_show\.(created|deleted))$/
const aboutEventType = /^event_type\./
// Longer than any of Calendly's, and what the database can look for.
const longestEvent = 100
const longestSubject = 500

const envelope = z.object({ event: text, created_at: optional(instant), payload: z.unknown().optional() })
const withEvent = z.object({ scheduled_event: scheduledEvent }).loose()

const readEnvelope = reader(envelope)
const readInviteePayload = reader(invitee)
const readEventPayload = reader(withEvent)
const readResource = reader(z.object({ uri: text }))
const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Only what a delivery is about; `undefined` where it is none. Never throws. */
export function outlineDelivery(bytes: Uint8Array): Outline | undefined {
  const delivery = readEnvelope(parseJson(bytes))
  return delivery && outlineOf(delivery)
}

/** Reads a delivery whose signature was verified; `undefined` means genuine but unreadable. Never throws. */
export function readDelivery(bytes: Uint8Array): CalendlyDelivery | undefined {
  const delivery = readEnvelope(parseJson(bytes))
  if (!delivery) return undefined
  const { created_at: createdAt, payload } = delivery
  const outline = { ...outlineOf(delivery), createdAt }
  if (aboutEventType.test(outline.event)) return { ...outline, eventType: eventTypeIn(payload) }
  if (!aboutInvitee.test(outline.event)) return outline

  const found = readInviteePayload(payload)
  const scheduled = readEventPayload(payload)
  return found && scheduled && { ...outline, invitee: found, scheduledEvent: scheduled.scheduled_event }
}

function outlineOf({ event, payload }: z.output<typeof envelope>): Outline {
  const subject = readResource(payload)?.uri
  return {
    event: event.slice(0, longestEvent).toWellFormed(),
    ...(subject !== undefined && subject.length <= longestSubject && { subject })
  }
}

function eventTypeIn(payload: unknown): string | undefined {
  const path = pathOf('eventType', readResource(payload)?.uri ?? '')
  return path && `${apiOrigin}${path}`
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(bytes))
  } catch {
    return undefined
  }
}
