import { z } from 'zod'
import type { EventType } from '../core/calendly.ts'
import { instantOut, optionalInstant, textIn } from './common.ts'

const nullableText = z.string().nullable()

export const eventTypeId = z.strictObject({ id: textIn(500) })

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
    created_at: instantOut.nullable(),
    updated_at: instantOut.nullable()
  })
  .meta({ id: 'EventType' })

export const eventTypesOut = z.object({ data: z.array(eventTypeOut), next_cursor: z.null() })

export function presentEventType(eventType: EventType): z.input<typeof eventTypeOut> {
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
    created_at: optionalInstant(eventType.createdAt),
    updated_at: optionalInstant(eventType.updatedAt)
  }
}
