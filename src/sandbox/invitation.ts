import { z } from 'zod'
import { timeZone } from './accept.ts'
import type { Person, Tracking } from './records.ts'
import { conferenceKinds, placeKinds } from './seed.ts'

/** Where to meet: a place needs its text, a conference must not have one. */
export const locationChoice = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.enum(placeKinds), location: z.string().min(1) }),
  z.strictObject({ kind: z.enum(conferenceKinds) })
])

const answer = z.strictObject({ question: z.string(), answer: z.string(), position: z.int().min(0) })

/** Calendly takes no empty list: leave it out instead. */
export const answerList = z.array(answer).min(1)

/** All six keys or none. */
export const trackingSchema = z.strictObject({
  utm_campaign: z.string().nullable(),
  utm_source: z.string().nullable(),
  utm_medium: z.string().nullable(),
  utm_content: z.string().nullable(),
  utm_term: z.string().nullable(),
  salesforce_uuid: z.string().nullable()
})

export const guestList = z.array(z.email()).max(10)

export const inviteeSchema = z
  .strictObject({
    name: z.string().min(1).optional(),
    first_name: z.string().min(1).optional(),
    last_name: z.string().optional(),
    email: z.email(),
    timezone: timeZone,
    text_reminder_number: z.string().optional()
  })
  .refine(({ name, first_name }) => name !== undefined || first_name !== undefined, {
    error: 'either name or first_name must be filled'
  })

export const noTracking: Tracking = {
  utm_campaign: null,
  utm_source: null,
  utm_medium: null,
  utm_content: null,
  utm_term: null,
  salesforce_uuid: null
}

type Rest = {
  questions_and_answers: Person['questions_and_answers'] | undefined
  tracking: Tracking | undefined
}

export function personOf(invitee: z.output<typeof inviteeSchema>, rest: Rest): Person {
  const { name, first_name, last_name, email, timezone, text_reminder_number } = invitee
  return {
    name: name ?? [first_name, last_name].filter(Boolean).join(' '),
    first_name: first_name ?? null,
    last_name: last_name ?? null,
    email,
    timezone,
    text_reminder_number: text_reminder_number ?? null,
    questions_and_answers: rest.questions_and_answers ?? [],
    tracking: rest.tracking ?? noTracking
  }
}
