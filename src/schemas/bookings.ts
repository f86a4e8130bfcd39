import { z } from 'zod'
import type { Booking } from '../core/booking.ts'
import { referenceOf } from '../core/booking-payment.ts'
import type { TimelineEntry } from '../core/booking-tables.ts'
import type { Tracking } from '../core/calendly.ts'
import { formatInstant } from '../core/instants.ts'
import { instantOut, pageOf } from './common.ts'

export const bookingStatuses = [
  'pending',
  'unknown',
  'confirmed',
  'completed',
  'canceled',
  'rejected',
  'needs_attention'
] as const

const nullableText = z.string().nullable()

export const bookingOut = z
  .object({
    id: z.string(),
    status: z.enum(bookingStatuses),
    event_type: z.string(),
    start_time: instantOut,
    end_time: instantOut,
    invitee: z.object({
      name: nullableText,
      first_name: nullableText,
      last_name: nullableText,
      email: z.string(),
      timezone: nullableText,
      text_reminder_number: nullableText
    }),
    hosts: z.array(z.object({ user: z.string(), name: nullableText, email: nullableText })),
    location: z
      .object({
        type: z.string(),
        location: nullableText,
        status: nullableText,
        additional_info: nullableText
      })
      .nullable(),
    join_url: nullableText,
    questions_and_answers: z.array(z.object({ question: z.string(), answer: z.string(), position: z.int() })),
    tracking: z.object({
      utm_campaign: nullableText,
      utm_source: nullableText,
      utm_medium: nullableText,
      utm_content: nullableText,
      utm_term: nullableText,
      salesforce_uuid: nullableText
    }),
    event_guests: z.array(z.string()),
    session_id: nullableText,
    metadata: z.record(z.string(), z.string()),
    calendly: z.object({
      event: nullableText,
      invitee: nullableText,
      cancel_url: nullableText,
      reschedule_url: nullableText
    }),
    payment: z
      .object({
        provider: z.string(),
        charge: nullableText,
        payment_intent: nullableText,
        amount: z.int().nullable(),
        currency: nullableText,
        refunded_amount: z.int()
      })
      .nullable(),
    refund_policy: z.object({ name: z.string(), version: z.int() }).nullable(),
    cancellation: z
      .object({
        canceler_type: z.enum(['invitee', 'host', 'system']),
        canceled_by: nullableText,
        reason: nullableText,
        canceled_at: instantOut
      })
      .nullable(),
    change: z
      .object({ kind: z.enum(['cancel', 'reschedule']), state: z.enum(['pending', 'unknown']) })
      .nullable(),
    reschedules: z.array(z.object({ from: instantOut, to: instantOut, at: instantOut })),
    merged_into: nullableText.meta({ description: 'The booking that it turned out to be a part of' }),
    no_show: z.boolean(),
    source: z.enum(['api', 'webhook', 'reconciliation']),
    version: z.int(),
    created_at: instantOut,
    updated_at: instantOut
  })
  .meta({ id: 'Booking' })

export const bookingsOut = pageOf(bookingOut)

export const timelineOut = z.object({
  data: z.array(z.object({ at: instantOut, type: z.string(), detail: z.record(z.string(), z.unknown()) }))
})

/** `completed` is `confirmed` read after its end. */
export function presentBooking(booking: Booking, now: number): z.input<typeof bookingOut> {
  const { invitee, calendly, cancellation, change, location } = booking
  const isOver = booking.status === 'confirmed' && booking.endTime <= now
  return {
    id: booking.id,
    status: isOver ? 'completed' : booking.status,
    event_type: booking.eventType,
    start_time: formatInstant(booking.startTime),
    end_time: formatInstant(booking.endTime),
    invitee: {
      name: invitee.name ?? null,
      first_name: invitee.firstName ?? null,
      last_name: invitee.lastName ?? null,
      email: invitee.email,
      timezone: invitee.timezone ?? null,
      text_reminder_number: invitee.textReminderNumber ?? null
    },
    hosts: booking.hosts.map(({ user, name = null, email = null }) => ({ user, name, email })),
    location: location
      ? {
          type: location.type,
          location: location.location ?? null,
          status: location.status ?? null,
          additional_info: location.additionalInfo ?? null
        }
      : null,
    join_url: location?.joinUrl ?? null,
    questions_and_answers: booking.questionsAndAnswers.map((answer) => ({ ...answer })),
    tracking: presentTracking(booking.tracking),
    event_guests: [...booking.guests],
    session_id: booking.sessionId ?? null,
    metadata: { ...booking.metadata },
    calendly: {
      event: calendly.event ?? null,
      invitee: calendly.invitee ?? null,
      cancel_url: calendly.cancelUrl ?? null,
      reschedule_url: calendly.rescheduleUrl ?? null
    },
    payment: presentPayment(booking.payment),
    refund_policy: booking.refundPolicy ?? null,
    cancellation: cancellation
      ? {
          canceler_type: cancellation.cancelerType,
          canceled_by: cancellation.canceledBy ?? null,
          reason: cancellation.reason ?? null,
          canceled_at: formatInstant(cancellation.canceledAt)
        }
      : null,
    change: change ? { kind: change.kind === 'cancel' ? 'cancel' : 'reschedule', state: change.state } : null,
    reschedules: booking.reschedules.map(({ from, to, at }) => ({
      from: formatInstant(from),
      to: formatInstant(to),
      at: formatInstant(at)
    })),
    merged_into: booking.mergedInto ?? null,
    no_show: booking.noShow,
    source: booking.source,
    version: booking.version,
    created_at: formatInstant(booking.createdAt),
    updated_at: formatInstant(booking.updatedAt)
  }
}

export function presentTimeline(entries: readonly TimelineEntry[]): z.input<typeof timelineOut> {
  return {
    data: entries.map(({ at, type, detail }) => ({ at: formatInstant(at), type, detail: { ...detail } }))
  }
}

function presentTracking(tracking: Tracking) {
  return {
    utm_campaign: tracking.utmCampaign ?? null,
    utm_source: tracking.utmSource ?? null,
    utm_medium: tracking.utmMedium ?? null,
    utm_content: tracking.utmContent ?? null,
    utm_term: tracking.utmTerm ?? null,
    salesforce_uuid: tracking.salesforceUuid ?? null
  }
}

/** Amounts are Stripe's integers, once they were read: Calendly's decimal is no amount. */
function presentPayment(payment: Booking['payment']) {
  if (!payment) return null
  const { provider, charge } = payment
  const reference = referenceOf(payment)
  const isIntent = reference.startsWith('pi_')
  const told = 'currency' in payment ? payment.currency.toLowerCase() : null
  return {
    provider,
    charge: charge?.id ?? (isIntent ? null : reference),
    payment_intent: charge?.paymentIntent ?? (isIntent ? reference : null),
    amount: charge?.amount ?? null,
    currency: charge?.currency ?? told,
    refunded_amount: charge?.refundedAmount ?? 0
  }
}
