import { z } from 'zod'
import type { ConfiguredEventType } from '../core/event-type-settings.ts'
import type { EventTypeSettings } from '../core/settings.ts'
import { instantOut, optionalInstant, textIn } from './common.ts'
import { policyName } from './refund-policies.ts'

const nullableText = z.string().nullable()

export const eventTypeId = z.strictObject({ id: textIn(500) })

const buffer = z.int().min(0).max(180).default(0)

/** Of a year at most. */
const notice = z.int().min(0).max(527_040).default(0)

export const settingsIn = z
  .strictObject({
    buffer_before_minutes: buffer.meta({ description: 'Kept free before each appointment' }),
    buffer_after_minutes: buffer.meta({ description: 'Kept free after each appointment' }),
    minimum_notice_minutes: notice.meta({ description: 'From now to the soonest start' }),
    max_per_day: z.int().min(1).max(1_000).nullable().default(null).meta({
      description: 'Bookings and holds per calendar day in the owner’s zone; null for any number'
    }),
    refund_policy: policyName.default('default').meta({ description: 'The name of a refund policy' })
  })
  .meta({ id: 'EventTypeSettingsRequest' })

export const settingsOut = z
  .object({
    buffer_before_minutes: z.int(),
    buffer_after_minutes: z.int(),
    minimum_notice_minutes: z.int(),
    max_per_day: z.int().nullable(),
    refund_policy: z.string()
  })
  .meta({ id: 'EventTypeSettings' })

export function readSettings(body: z.output<typeof settingsIn>): EventTypeSettings {
  return {
    bufferBeforeMinutes: body.buffer_before_minutes,
    bufferAfterMinutes: body.buffer_after_minutes,
    minimumNoticeMinutes: body.minimum_notice_minutes,
    maxPerDay: body.max_per_day ?? undefined,
    refundPolicy: body.refund_policy
  }
}

export function presentSettings(settings: EventTypeSettings): z.input<typeof settingsOut> {
  return {
    buffer_before_minutes: settings.bufferBeforeMinutes,
    buffer_after_minutes: settings.bufferAfterMinutes,
    minimum_notice_minutes: settings.minimumNoticeMinutes,
    max_per_day: settings.maxPerDay ?? null,
    refund_policy: settings.refundPolicy
  }
}

export const eventTypeOut = z
  .object({
    uri: z.string(),
    name: nullableText,
    slug: nullableText,
    active: z.boolean(),
    duration: z.int().meta({ description: 'Minutes' }),
    duration_options: z.array(z.int()),
    kind: z.string(),
    pooling_type: nullableText,
    type: nullableText,
    scheduling_url: nullableText,
    color: nullableText,
    locale: nullableText,
    is_paid: z.boolean(),
    secret: z.boolean(),
    description_plain: nullableText,
    profile: z.object({ type: z.string(), name: nullableText, owner: z.string() }).nullable(),
    custom_questions: z.array(
      z.object({
        name: z.string(),
        type: z.string(),
        position: z.int(),
        enabled: z.boolean(),
        required: z.boolean(),
        answer_choices: z.array(z.string()),
        include_other: z.boolean()
      })
    ),
    locations: z.array(
      z.object({
        kind: z.string(),
        location: nullableText,
        additional_info: nullableText,
        phone_number: nullableText
      })
    ),
    settings: settingsOut,
    created_at: instantOut.nullable(),
    updated_at: instantOut.nullable()
  })
  .meta({ id: 'EventType' })

export const eventTypesOut = z.object({ data: z.array(eventTypeOut), next_cursor: z.null() })

export function presentEventType(eventType: ConfiguredEventType): z.input<typeof eventTypeOut> {
  return {
    uri: eventType.uri,
    name: eventType.name ?? null,
    slug: eventType.slug ?? null,
    active: eventType.active,
    duration: eventType.durationMinutes,
    duration_options: [...eventType.durationOptions],
    kind: eventType.kind,
    pooling_type: eventType.poolingType ?? null,
    type: eventType.type ?? null,
    scheduling_url: eventType.schedulingUrl ?? null,
    color: eventType.color ?? null,
    locale: eventType.locale ?? null,
    is_paid: eventType.isPaid,
    secret: eventType.secret,
    description_plain: eventType.description ?? null,
    profile: eventType.profile
      ? {
          type: eventType.profile.type,
          name: eventType.profile.name ?? null,
          owner: eventType.profile.owner
        }
      : null,
    custom_questions: eventType.questions.map(
      ({ name, type, position, enabled, required, answerChoices, includeOther }) => ({
        name,
        type,
        position,
        enabled,
        required,
        answer_choices: [...answerChoices],
        include_other: includeOther
      })
    ),
    locations: (eventType.locations ?? []).map(({ kind, location, additionalInfo, phoneNumber }) => ({
      kind,
      location: location ?? null,
      additional_info: additionalInfo ?? null,
      phone_number: phoneNumber ?? null
    })),
    settings: presentSettings(eventType.settings),
    created_at: optionalInstant(eventType.createdAt),
    updated_at: optionalInstant(eventType.updatedAt)
  }
}
