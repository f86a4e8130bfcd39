import { z } from 'zod'
import type { CalendlyDelivery } from '../core/calendly.ts'
import { instant, optional, reader, text } from './wire.ts'
import { invitee, scheduledEvent } from './wire-bookings.ts'

const envelope = z.object({ event: text, created_at: optional(instant), payload: z.unknown() })
const aboutInvitee = z.object({ scheduled_event: scheduledEvent }).loose()

const readEnvelope = reader(envelope)
const readInviteePayload = reader(invitee)
const readEventPayload = reader(aboutInvitee)

/** Reads a delivery whose signature was verified; `undefined` means genuine but unreadable. Never throws. */
export function readDelivery(bytes: Uint8Array): CalendlyDelivery | undefined {
  const delivery = readEnvelope(parseJson(bytes))
  if (!delivery) return undefined
  const { event, created_at: createdAt, payload } = delivery
  if (!/^invitee(_no_show)?\./.test(event)) return { event, createdAt }

  const found = readInviteePayload(payload)
  const scheduled = readEventPayload(payload)
  return found && scheduled && { event, createdAt, invitee: found, scheduledEvent: scheduled.scheduled_event }
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return undefined
  }
}
