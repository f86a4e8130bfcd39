import { z } from 'zod'
import type {
  AvailableTime,
  BusyTime,
  CalendlyUser,
  EventType,
  WebhookSubscription
} from '../core/calendly.ts'
import { count, instant, optional, orElse, page, reader, resource, text } from './wire.ts'

const user = z
  .object({
    uri: text,
    current_organization: text,
    name: orElse(text, ''),
    email: orElse(text, ''),
    timezone: orElse(text, 'UTC'),
    scheduling_url: optional(text)
  })
  .transform(
    ({ current_organization, scheduling_url, ...rest }): CalendlyUser => ({
      ...rest,
      organization: current_organization,
      schedulingUrl: scheduling_url
    })
  )

const question = z
  .object({
    name: text,
    type: orElse(text, 'string'),
    position: orElse(count, 0),
    enabled: orElse(z.boolean(), true),
    required: orElse(z.boolean(), false),
    answer_choices: orElse(z.array(z.string()), []),
    include_other: orElse(z.boolean(), false)
  })
  .transform(({ answer_choices, include_other, ...rest }) => ({
    ...rest,
    answerChoices: answer_choices,
    includeOther: include_other
  }))

const locationOption = z
  .object({
    kind: text,
    location: optional(text),
    additional_info: optional(text),
    phone_number: optional(text)
  })
  .transform(({ additional_info, phone_number, ...rest }) => ({
    ...rest,
    additionalInfo: additional_info,
    phoneNumber: phone_number
  }))

const eventType = z
  .object({
    uri: text,
    name: optional(text),
    slug: optional(text),
    active: orElse(z.boolean(), true),
    duration: z.number().positive(),
    duration_options: orElse(z.array(z.number()), []),
    kind: orElse(text, 'solo'),
    pooling_type: optional(text),
    type: optional(text),
    scheduling_url: optional(text),
    color: optional(text),
    locale: optional(text),
    is_paid: orElse(z.boolean(), false),
    secret: orElse(z.boolean(), false),
    description_plain: optional(text),
    profile: optional(z.object({ type: text, name: optional(text), owner: text })),
    custom_questions: orElse(z.array(question), []),
    locations: optional(z.array(locationOption)),
    deleted_at: optional(instant),
    created_at: optional(instant),
    updated_at: optional(instant)
  })
  .transform(
    (wire): EventType => ({
      uri: wire.uri,
      name: wire.name,
      slug: wire.slug,
      active: wire.active,
      durationMinutes: wire.duration,
      durationOptions: wire.duration_options,
      kind: wire.kind,
      poolingType: wire.pooling_type,
      type: wire.type,
      schedulingUrl: wire.scheduling_url,
      color: wire.color,
      locale: wire.locale,
      isPaid: wire.is_paid,
      secret: wire.secret,
      description: wire.description_plain,
      profile: wire.profile,
      questions: wire.custom_questions,
      locations: wire.locations,
      deletedAt: wire.deleted_at,
      createdAt: wire.created_at,
      updatedAt: wire.updated_at
    })
  )

const availableTime = z
  .object({
    status: orElse(text, 'available'),
    start_time: instant,
    invitees_remaining: orElse(count, 1),
    scheduling_url: optional(text)
  })
  .transform((wire): AvailableTime & { isAvailable: boolean } => ({
    isAvailable: wire.status === 'available',
    startTime: wire.start_time,
    inviteesRemaining: wire.invitees_remaining,
    schedulingUrl: wire.scheduling_url
  }))

const availableTimes = z
  .object({ collection: z.array(availableTime) })
  .transform(({ collection }): AvailableTime[] =>
    collection.filter(({ isAvailable }) => isAvailable).map(({ isAvailable: _, ...time }) => time)
  )

const membership = z.object({ member: z.object({ uri: text }) }).transform(({ member }) => member.uri)

const busyTime = z
  .object({
    type: orElse(text, 'external'),
    start_time: instant,
    end_time: instant,
    event: optional(z.object({ uri: text }))
  })
  .transform(
    (wire): BusyTime => ({
      type: wire.type,
      startTime: wire.start_time,
      endTime: wire.end_time,
      event: wire.event?.uri
    })
  )

const busyTimes = z.object({ collection: z.array(busyTime) }).transform(({ collection }) => collection)

const subscription = z
  .object({
    uri: text,
    callback_url: text,
    state: z.enum(['active', 'disabled']),
    scope: orElse(text, 'user'),
    events: z.array(text),
    retry_started_at: optional(instant),
    created_at: optional(instant)
  })
  .transform(
    (wire): WebhookSubscription => ({
      uri: wire.uri,
      callbackUrl: wire.callback_url,
      state: wire.state,
      scope: wire.scope,
      events: wire.events,
      retryStartedAt: wire.retry_started_at,
      createdAt: wire.created_at
    })
  )

export const readUser = reader(resource(user))
export const readEventType = reader(resource(eventType))
export const readEventTypes = reader(page(eventType))
export const readAvailableTimes = reader(availableTimes)
/** The user URIs of an event type's hosts. */
export const readMembers = reader(page(membership))
export const readBusyTimes = reader(busyTimes)
/** The address of a scheduling link. */
export const readBookingUrl = reader(
  resource(z.object({ booking_url: z.url() }).transform(({ booking_url }) => booking_url))
)
export const readSubscription = reader(resource(subscription))
export const readSubscriptions = reader(page(subscription))
