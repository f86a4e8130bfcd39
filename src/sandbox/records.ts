import type { Seed } from './seed.ts'
import type { Block, Timeline } from './timeline.ts'

export type Dated = { uri: string; createdAt: string; updatedAt: string }

export type Organization = Seed['organizations'][number] & Dated

export type User = Omit<Seed['users'][number], 'organization'> &
  Dated & {
    organization: Organization
    timeline: Timeline<HostBlock>
    /** By the date on the user's clock, counted since the epoch. */
    shifts: Map<number, readonly Shift[]>
  }

export type Shift = readonly [opens: number, closes: number]

export type Token = Omit<Seed['tokens'][number], 'user'> & { user: User; revoked: boolean }

export type Team = Omit<Seed['teams'][number], 'organization'> & Dated & { organization: Organization }

export type Pooling = 'round_robin' | 'collective' | 'multi_pool'

export type EventType = Omit<Seed['event_types'][number], 'host' | 'team' | 'pooling'> &
  Dated & {
    /** On whose page it stands. */
    owner: { type: 'User'; user: User } | { type: 'Team'; team: Team }
    organization: Organization
    pooling: Pooling | null
    /** Each gives one host to a meeting. */
    pools: readonly (readonly User[])[]
    /** How many meetings of that type each host has that are not canceled. */
    meetings: Map<User, number>
    position: number
  }

/** A meeting, or time taken in an external calendar. */
export type HostBlock = ScheduledEvent | Block

export const isMeeting = (block: HostBlock): block is ScheduledEvent => 'uri' in block

export type Cancellation = {
  canceled_by: string
  reason: string | null
  canceler_type: 'host' | 'invitee'
  created_at: string
}

export type LocationChoice = { kind: string; location?: string | undefined }

export type Location = { type: string; [key: string]: unknown }

export type ScheduledEvent = Block &
  Dated & {
    eventType: EventType
    hosts: readonly User[]
    status: 'active' | 'canceled'
    /** What the first invitee chose, and what became of it. */
    choice: LocationChoice | undefined
    location: Location | null
    guests: readonly string[]
    invitees: Invitee[]
    cancellation?: Cancellation
  }

export type Answer = { question: string; answer: string; position: number }

export type Tracking = {
  utm_campaign: string | null
  utm_source: string | null
  utm_medium: string | null
  utm_content: string | null
  utm_term: string | null
  salesforce_uuid: string | null
}

/** What an invitee brings along, and takes along when rescheduling. */
export type Person = {
  name: string
  first_name: string | null
  last_name: string | null
  email: string
  timezone: string | null
  text_reminder_number: string | null
  questions_and_answers: Answer[]
  tracking: Tracking
}

/** For one booking. */
export type SchedulingLink = { url: string; eventType: EventType; isUsed: boolean }

export type NoShow = { uri: string; invitee: Invitee; createdAt: string }

export type Invitee = Dated & {
  person: Person
  event: ScheduledEvent
  status: 'active' | 'canceled'
  method: 'api' | null
  rescheduled: boolean
  oldInvitee?: Invitee
  newInvitee?: Invitee
  cancellation?: Cancellation
  noShow?: NoShow
  payment?: Payment | undefined
}

/** As Calendly shows it: the amount in major units, as a number or as text. */
export type Payment = {
  external_id: string
  provider: 'stripe' | 'paypal'
  amount: number | string
  currency: string
  terms: string | null
  successful: boolean
}

export type Subscription = Dated & {
  callbackUrl: string
  events: string[]
  scope: 'organization' | 'user'
  organization: Organization
  user?: User
  creator: User
  signingKey?: string
  state: 'active' | 'disabled'
  /** Epoch milliseconds. */
  retryStartedAt?: number
}
