/**
 * What Calendly can tell us, in the shapes the core works with: instants are epoch milliseconds,
 * absence is `undefined`, references are Calendly's full URIs and otherwise opaque.
 */

export type CalendlyUser = {
  uri: string
  organization: string
  name: string
  email: string
  timezone: string
  schedulingUrl?: string | undefined
}

export type CustomQuestion = {
  name: string
  type: string
  position: number
  enabled: boolean
  required: boolean
  answerChoices: readonly string[]
  includeOther: boolean
}

export type LocationOption = {
  kind: string
  location?: string | undefined
  additionalInfo?: string | undefined
  phoneNumber?: string | undefined
}

export type EventType = {
  uri: string
  name?: string | undefined
  slug?: string | undefined
  active: boolean
  durationMinutes: number
  durationOptions: readonly number[]
  /** `solo` or `group`; kept open because Calendly may add kinds. */
  kind: string
  /** `round_robin`, `collective`, `multi_pool` or absent. */
  poolingType?: string | undefined
  type?: string | undefined
  schedulingUrl?: string | undefined
  color?: string | undefined
  locale?: string | undefined
  isPaid: boolean
  secret: boolean
  description?: string | undefined
  profile?: { type: string; name?: string | undefined; owner: string } | undefined
  questions: readonly CustomQuestion[]
  /** Absent when Calendly did not say, empty when the type has none. */
  locations?: readonly LocationOption[] | undefined
  deletedAt?: number | undefined
  createdAt?: number | undefined
  updatedAt?: number | undefined
}

export type AvailableTime = {
  startTime: number
  inviteesRemaining: number
  schedulingUrl?: string | undefined
}

/** When a user is taken, half-open: `calendly`, `reserved` or, from another calendar, `external`. */
export type BusyTime = {
  type: string
  startTime: number
  endTime: number
  /** URI of the scheduled event, of a Calendly one. */
  event?: string | undefined
}

export type Answer = { question: string; answer: string; position: number }

/** Calendly's six tracking keys. */
export type Tracking = {
  utmCampaign?: string | undefined
  utmSource?: string | undefined
  utmMedium?: string | undefined
  utmContent?: string | undefined
  utmTerm?: string | undefined
  salesforceUuid?: string | undefined
}

export type CancellationFact = {
  canceledBy?: string | undefined
  reason?: string | undefined
  /** `host` or `invitee`, as Calendly saw it. */
  cancelerType?: string | undefined
  createdAt?: number | undefined
}

/** A payment taken on Calendly's own page. `amount` is in major units and only informative. */
export type PaymentFact = {
  externalId: string
  provider: string
  amount: string
  currency: string
  successful: boolean
}

export type InviteeFact = {
  uri: string
  /** URI of the scheduled event. */
  event: string
  status: 'active' | 'canceled'
  name: string
  firstName?: string | undefined
  lastName?: string | undefined
  email: string
  timezone?: string | undefined
  textReminderNumber?: string | undefined
  questionsAndAnswers: readonly Answer[]
  tracking: Tracking
  rescheduled: boolean
  oldInvitee?: string | undefined
  newInvitee?: string | undefined
  cancelUrl?: string | undefined
  rescheduleUrl?: string | undefined
  cancellation?: CancellationFact | undefined
  payment?: PaymentFact | undefined
  noShow?: { uri: string; createdAt?: number | undefined } | undefined
  createdAt: number
  updatedAt: number
}

export type EventHost = {
  /** User URI. */
  user: string
  email?: string | undefined
  name?: string | undefined
}

/** `type` as Calendly names it on events (`zoom`, `google_conference`, `physical` …). */
export type EventLocation = {
  type: string
  location?: string | undefined
  status?: string | undefined
  joinUrl?: string | undefined
  additionalInfo?: string | undefined
}

export type EventFact = {
  uri: string
  name?: string | undefined
  status: 'active' | 'canceled'
  eventType?: string | undefined
  startTime: number
  endTime: number
  location?: EventLocation | undefined
  hosts: readonly EventHost[]
  guests: readonly string[]
  inviteesCounter: { total: number; active: number; limit: number }
  /** What Calendly keeps free around it; not told by webhooks. */
  buffers?: { beforeMs: number; afterMs: number } | undefined
  cancellation?: CancellationFact | undefined
  createdAt?: number | undefined
  updatedAt?: number | undefined
}

/**
 * One verified and readable webhook. `invitee` and `scheduledEvent` are there for what is known of `invitee.*` and
 * `invitee_no_show.*`, `eventType`, a URI, for `event_type.*` where Calendly named it.
 */
export type CalendlyDelivery = {
  event: string
  /** URI of the resource that it speaks of. */
  subject?: string | undefined
  createdAt?: number | undefined
  invitee?: InviteeFact | undefined
  scheduledEvent?: EventFact | undefined
  eventType?: string | undefined
}

/** What `POST /invitees` is asked. All six tracking keys are sent. */
export type InviteeRequest = {
  eventType: string
  startTime: number
  invitee: {
    name?: string | undefined
    firstName?: string | undefined
    lastName?: string | undefined
    email: string
    timezone: string
    textReminderNumber?: string | undefined
  }
  location?: { kind: string; location?: string | undefined } | undefined
  questionsAndAnswers: readonly Answer[]
  tracking: Tracking
  guests: readonly string[]
}

/** Why Calendly certainly did not do it, and in its own words. */
export type Refusal = {
  reason:
    | 'already_filled'
    | 'invalid_location'
    | 'missing_answer'
    | 'invalid_answer'
    | 'not_found'
    | 'quota'
    | 'rejected'
  detail: string
  /** Calendly's name of the parameter at fault, such as `questions_and_answers`. */
  parameter?: string | undefined
  retryAfterMs?: number | undefined
}

/** Nothing reached Calendly, or it surely did nothing: the same request may be sent again. */
export type NotDone = { kind: 'not_done'; detail: string; retryAfterMs?: number | undefined; cause?: unknown }
/** Something was sent and the answer was lost: it may or may not have happened. */
export type Ambiguous = { kind: 'ambiguous'; cause: unknown }

export type InviteeOutcome =
  | { kind: 'done'; invitee: InviteeFact }
  | { kind: 'refused'; refusal: Refusal }
  | NotDone
  | Ambiguous

export type CancelOutcome =
  | { kind: 'done'; cancellation: CancellationFact }
  | { kind: 'refused'; reason: 'already_canceled' | 'past' | 'not_allowed' | 'not_found'; detail: string }
  | NotDone
  | Ambiguous

/** `refused`: nothing was done, and why, in Calendly's own words. */
export type NoShowOutcome =
  | { kind: 'done'; uri: string; createdAt?: number | undefined }
  | { kind: 'refused'; detail: string }
  | NotDone
  | Ambiguous

export type NoShowRemoval = { kind: 'done' } | Exclude<NoShowOutcome, { kind: 'done' }>

export type WebhookSubscription = {
  uri: string
  callbackUrl: string
  state: 'active' | 'disabled'
  scope: string
  events: readonly string[]
  retryStartedAt?: number | undefined
  createdAt?: number | undefined
}
