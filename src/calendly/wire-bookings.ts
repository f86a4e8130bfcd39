import { z } from 'zod'
import type { CancellationFact, EventFact, InviteeFact, Tracking } from '../core/calendly.ts'
import { count, instant, optional, orElse, page, reader, resource, string, text } from './wire.ts'

const status = z.enum(['active', 'canceled'])

const cancellation = z
  .object({
    canceled_by: optional(text),
    reason: optional(text),
    canceler_type: optional(text),
    created_at: optional(instant)
  })
  .transform(
    (wire): CancellationFact => ({
      canceledBy: wire.canceled_by,
      reason: wire.reason,
      cancelerType: wire.canceler_type,
      createdAt: wire.created_at
    })
  )

const answer = z.object({ question: text, answer: orElse(string, ''), position: orElse(count, 0) })

const tracking = z
  .object({
    utm_campaign: optional(text),
    utm_source: optional(text),
    utm_medium: optional(text),
    utm_content: optional(text),
    utm_term: optional(text),
    salesforce_uuid: optional(text)
  })
  .transform(
    (wire): Tracking => ({
      utmCampaign: wire.utm_campaign,
      utmSource: wire.utm_source,
      utmMedium: wire.utm_medium,
      utmContent: wire.utm_content,
      utmTerm: wire.utm_term,
      salesforceUuid: wire.salesforce_uuid
    })
  )

const payment = z
  .object({
    external_id: text,
    provider: text,
    amount: z.union([text, z.number().transform(String)]),
    currency: text,
    successful: orElse(z.boolean(), false)
  })
  .transform(({ external_id, ...rest }) => ({ ...rest, externalId: external_id }))

const noShow = z
  .object({ uri: text, created_at: optional(instant) })
  .transform(({ uri, created_at }) => ({ uri, createdAt: created_at }))

export const invitee = z
  .object({
    uri: text,
    event: text,
    status,
    name: orElse(text, ''),
    first_name: optional(text),
    last_name: optional(text),
    email: text,
    timezone: optional(text),
    text_reminder_number: optional(text),
    questions_and_answers: orElse(z.array(answer), []),
    tracking: orElse(tracking, {}),
    rescheduled: orElse(z.boolean(), false),
    old_invitee: optional(text),
    new_invitee: optional(text),
    cancel_url: optional(text),
    reschedule_url: optional(text),
    cancellation: optional(cancellation),
    payment: optional(payment),
    no_show: optional(noShow),
    created_at: instant,
    updated_at: instant
  })
  .transform(
    (wire): InviteeFact => ({
      uri: wire.uri,
      event: wire.event,
      status: wire.status,
      name: wire.name || [wire.first_name, wire.last_name].filter(Boolean).join(' '),
      firstName: wire.first_name,
      lastName: wire.last_name,
      email: wire.email,
      timezone: wire.timezone,
      textReminderNumber: wire.text_reminder_number,
      questionsAndAnswers: wire.questions_and_answers,
      tracking: wire.tracking,
      rescheduled: wire.rescheduled,
      oldInvitee: wire.old_invitee,
      newInvitee: wire.new_invitee,
      cancelUrl: wire.cancel_url,
      rescheduleUrl: wire.reschedule_url,
      cancellation: wire.cancellation,
      payment: wire.payment,
      noShow: wire.no_show,
      createdAt: wire.created_at,
      updatedAt: wire.updated_at
    })
  )

const membership = z
  .object({
    user: text,
    user_email: optional(text),
    user_name: optional(text),
    buffered_start_time: optional(instant),
    buffered_end_time: optional(instant)
  })
  .transform(({ user, user_email, user_name, buffered_start_time, buffered_end_time }) => ({
    host: { user, email: user_email, name: user_name },
    bufferedFrom: buffered_start_time,
    bufferedTo: buffered_end_time
  }))

const guest = z.object({ email: text }).transform(({ email }) => email)

const location = z
  .object({
    type: text,
    location: optional(text),
    status: optional(text),
    join_url: optional(text),
    additional_info: optional(text)
  })
  .transform(({ join_url, additional_info, ...rest }) => ({
    ...rest,
    joinUrl: join_url,
    additionalInfo: additional_info
  }))

export const scheduledEvent = z
  .object({
    uri: text,
    name: optional(text),
    status,
    event_type: optional(text),
    start_time: instant,
    end_time: instant,
    location: optional(location),
    event_memberships: orElse(z.array(membership), []),
    event_guests: orElse(z.array(guest), []),
    invitees_counter: orElse(z.object({ total: count, active: count, limit: count }), {
      total: 1,
      active: 1,
      limit: 1
    }),
    cancellation: optional(cancellation),
    created_at: optional(instant),
    updated_at: optional(instant)
  })
  .transform(
    (wire): EventFact => ({
      uri: wire.uri,
      name: wire.name,
      status: wire.status,
      eventType: wire.event_type,
      startTime: wire.start_time,
      endTime: wire.end_time,
      location: wire.location,
      hosts: wire.event_memberships.map(({ host }) => host),
      guests: wire.event_guests,
      inviteesCounter: wire.invitees_counter,
      buffers: buffersAround(wire.start_time, wire.end_time, wire.event_memberships),
      cancellation: wire.cancellation,
      createdAt: wire.created_at,
      updatedAt: wire.updated_at
    })
  )

/** The widest of its hosts'. */
function buffersAround(
  startTime: number,
  endTime: number,
  memberships: readonly { bufferedFrom?: number | undefined; bufferedTo?: number | undefined }[]
): EventFact['buffers'] {
  const from = memberships.map(({ bufferedFrom = startTime }) => bufferedFrom)
  const to = memberships.map(({ bufferedTo = endTime }) => bufferedTo)
  return { beforeMs: startTime - Math.min(startTime, ...from), afterMs: Math.max(endTime, ...to) - endTime }
}

export const readEvent = reader(resource(scheduledEvent))
export const readEvents = reader(page(scheduledEvent))
/** The same, with nothing in place of what cannot be read: of many, one must not lose the others. */
export const readAnyEvents = reader(page(optional(scheduledEvent)))
export const readInvitee = reader(resource(invitee))
export const readInvitees = reader(page(invitee))
export const readAnyInvitees = reader(page(optional(invitee)))
export const readCancellation = reader(resource(cancellation))
export const readNoShow = reader(resource(noShow))
/** The one thing a booking's answer must have to count as done. */
export const readUri = reader(resource(z.object({ uri: text }).transform(({ uri }) => uri)))
