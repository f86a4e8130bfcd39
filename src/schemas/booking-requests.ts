import { z } from 'zod'
import type { BookingRequest } from '../core/booking-draft.ts'
import { bookingStatuses } from './bookings.ts'
import { instantIn, instantInQuery, pageInQuery, textIn, timeZoneIn } from './common.ts'

const email = z.email().max(254)

const trackingIn = z.strictObject({
  utm_campaign: textIn(255).nullish(),
  utm_source: textIn(255).nullish(),
  utm_medium: textIn(255).nullish(),
  utm_content: textIn(255).nullish(),
  utm_term: textIn(255).nullish(),
  salesforce_uuid: textIn(255).nullish()
})

export const bookingIn = z
  .strictObject({
    event_type: textIn(500).meta({ description: 'Full Calendly URI or its last segment' }),
    start_time: instantIn,
    invitee: z
      .strictObject({
        name: textIn(255).optional(),
        first_name: textIn(255).optional(),
        last_name: textIn(255).optional(),
        email,
        timezone: timeZoneIn,
        text_reminder_number: textIn(32).optional()
      })
      .refine(({ name, first_name }) => name !== undefined || first_name !== undefined, {
        path: ['name'],
        message: 'name or first_name is needed'
      }),
    location: z.strictObject({ kind: textIn(64), location: textIn(1_000).optional() }).optional(),
    questions_and_answers: z
      .array(
        z.strictObject({
          question: textIn(1_000),
          answer: textIn(10_000, 0),
          position: z.int().min(0).max(100).optional()
        })
      )
      .max(50)
      .default([]),
    tracking: trackingIn.default({}),
    event_guests: z.array(email).max(10).default([]),
    hold_id: textIn(64).optional(),
    payment: z.strictObject({ provider: z.literal('stripe'), payment_intent: textIn(255) }).optional(),
    session_id: textIn(255).optional(),
    metadata: z
      .record(textIn(40), textIn(500, 0))
      .refine((metadata) => Object.keys(metadata).length <= 50, 'at most 50 keys')
      .default({})
  })
  .meta({ id: 'BookingRequest' })

export function readBooking(body: z.output<typeof bookingIn>): BookingRequest {
  return {
    eventType: body.event_type,
    startTime: body.start_time,
    invitee: {
      name: body.invitee.name,
      firstName: body.invitee.first_name,
      lastName: body.invitee.last_name,
      email: body.invitee.email,
      timezone: body.invitee.timezone,
      textReminderNumber: body.invitee.text_reminder_number
    },
    location: body.location,
    questionsAndAnswers: body.questions_and_answers.map(({ question, answer, position }, index) => ({
      question,
      answer,
      position: position ?? index
    })),
    tracking: {
      utmCampaign: body.tracking.utm_campaign ?? undefined,
      utmSource: body.tracking.utm_source ?? undefined,
      utmMedium: body.tracking.utm_medium ?? undefined,
      utmContent: body.tracking.utm_content ?? undefined,
      utmTerm: body.tracking.utm_term ?? undefined,
      salesforceUuid: body.tracking.salesforce_uuid ?? undefined
    },
    guests: body.event_guests,
    holdId: body.hold_id,
    paymentIntent: body.payment?.payment_intent,
    sessionId: body.session_id,
    metadata: body.metadata
  }
}

export const bookingFilterIn = z.strictObject({
  status: z.enum(bookingStatuses).optional(),
  event_type: textIn(500).optional(),
  host: textIn(500).optional(),
  invitee_email: textIn(254, 0).optional(),
  start_time_from: instantInQuery.optional(),
  start_time_to: instantInQuery.optional(),
  ...pageInQuery
})

export function readFilter(query: z.output<typeof bookingFilterIn>) {
  return {
    status: query.status,
    eventType: query.event_type,
    host: query.host,
    inviteeEmail: query.invitee_email,
    startTimeFrom: query.start_time_from,
    startTimeTo: query.start_time_to,
    cursor: query.cursor,
    limit: query.limit
  }
}

export const bookingId = z.strictObject({ id: textIn(64) })
