import { z } from 'zod'
import { timeZone } from './accept.ts'

const id = z.string().regex(/^[\w-]{1,64}$/)
const pool = z.array(id).min(1)
const minutes = z.int().min(0).max(1440)
const clockTime = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/)

export const wdays = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'] as const

const intervals = z.array(z.strictObject({ from: clockTime, to: clockTime }))
const rule = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('wday'), wday: z.enum(wdays), intervals }),
  z.strictObject({ type: z.literal('date'), date: z.iso.date(), intervals })
])

const officeHours: Rule[] = wdays.map((wday) => ({
  type: 'wday',
  wday,
  intervals: wday === 'sunday' || wday === 'saturday' ? [] : [{ from: '09:00', to: '17:00' }]
}))

const question = z.strictObject({
  name: z.string().min(1),
  type: z.enum(['string', 'text', 'phone_number', 'single_select', 'multi_select']),
  enabled: z.boolean().default(true),
  required: z.boolean().default(false),
  answer_choices: z.array(z.string()).default([]),
  include_other: z.boolean().default(false)
})

/** Kinds for which the invitee's choice carries a `location` text. */
export const placeKinds = ['physical', 'outbound_call', 'ask_invitee', 'custom'] as const
export const conferenceKinds = [
  'inbound_call',
  'zoom_conference',
  'google_conference',
  'gotomeeting_conference',
  'microsoft_teams_conference',
  'webex_conference'
] as const

const location = z.strictObject({
  kind: z.enum([...placeKinds, ...conferenceKinds]),
  location: z.string().optional(),
  additional_info: z.string().optional(),
  phone_number: z.string().optional()
})

const organization = z.strictObject({
  id,
  name: z.string(),
  plan: z.string().default('standard'),
  stage: z.enum(['trial', 'free', 'paid']).default('paid')
})

/** Plans by their quotas; what Calendly calls an organization's plan is words. */
export const planName = z.enum(['free', 'trial', 'paid', 'enterprise'])

const user = z.strictObject({
  id,
  organization: id,
  role: z.enum(['owner', 'admin', 'user']).default('user'),
  name: z.string(),
  slug: z.string(),
  email: z.email(),
  timezone: timeZone,
  /** In place of the seed's own. */
  plan: planName.optional(),
  rules: z.array(rule).default(officeHours)
})

/** Whose page an event type with several hosts is on. */
const team = z.strictObject({ id, organization: id, name: z.string(), slug: z.string() })

const token = z.strictObject({
  name: z.string().min(1),
  value: z.string().min(8),
  user: id,
  /** Such as `scheduled_events:read`; without a list the token may do everything, as old ones can. */
  scopes: z.array(z.string()).optional()
})

/**
 * How several hosts share an event type, in pools of which each gives one host: round robin is one pool, a
 * collective type has pools of one.
 */
const pooling = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('round_robin'), pools: z.tuple([pool]) }),
  z.strictObject({ type: z.literal('collective'), pools: z.array(z.tuple([id])).min(2) }),
  z.strictObject({ type: z.literal('multi_pool'), pools: z.array(pool).min(2) })
])

const eventType = z.strictObject({
  id,
  /** Whose it is, or else whose page it is on and how that team's hosts share it. */
  host: id.optional(),
  team: id.optional(),
  pooling: pooling.optional(),
  name: z.string(),
  slug: z.string(),
  active: z.boolean().default(true),
  secret: z.boolean().default(false),
  kind: z.enum(['solo', 'group']).default('solo'),
  is_paid: z.boolean().default(false),
  /** Seats of a group session. */
  invitee_limit: z.int().min(1).default(1),
  duration: z.int().min(1).max(720).default(30),
  increment_minutes: z.int().min(5).max(720).default(30),
  minimum_notice_minutes: z.int().min(0).default(0),
  buffer_before_minutes: minutes.default(0),
  buffer_after_minutes: minutes.default(0),
  color: z
    .string()
    .regex(/^#[a-f\d]{6}$/)
    .default('#0069ff'),
  description: z.string().nullable().default(null),
  custom_questions: z.array(question).default([]),
  locations: z.array(location).default([])
})
const isOfOneOrMany = ({ host, team, pooling, kind }: z.output<typeof eventType>) =>
  host === undefined
    ? team !== undefined && pooling !== undefined && kind === 'solo'
    : team === undefined && pooling === undefined

const busy = z.strictObject({ user: id, start_time: z.iso.datetime(), end_time: z.iso.datetime() })

/** What the sandbox starts from: everything a test may rely on, by ids of the test's choosing. */
export const seedSchema = z.strictObject({
  /** Offered to the client at start; a subscription is signed with the key it was made with. */
  signing_key: z.string().min(1).default('sandbox-webhook-signing-key'),
  /** Whose quotas every user is held to; without one there are none. */
  plan: planName.optional(),
  organizations: z.array(organization).min(1),
  users: z.array(user).min(1),
  teams: z.array(team).default([]),
  tokens: z.array(token).min(1),
  event_types: z
    .array(eventType.refine(isOfOneOrMany, { error: 'has either a host, or a team and its pooling' }))
    .default([]),
  /** External calendars: times at which a host is not free. */
  busy: z.array(busy).default([])
})

export type SeedInput = z.input<typeof seedSchema>
export type Seed = z.output<typeof seedSchema>
export type PlanName = z.output<typeof planName>
export type Rule = z.output<typeof rule>
