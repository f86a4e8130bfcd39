/** Every failure a client can see: code → [HTTP status, title]. A new one is one line here and one in docs/problems.md. */
export const problems = {
  validation_failed: [400, 'The request is not valid'],
  invalid_json: [400, 'The body is not valid JSON'],
  local_time: [400, 'A time must carry its offset'],
  unknown_timezone: [400, 'No such time zone'],
  ambiguous_timezone: [400, 'An abbreviation can mean several time zones'],
  invalid_cursor: [400, 'The cursor is not one of ours'],
  range_too_long: [400, 'The range is too long'],
  too_many_event_types: [400, 'Too many event types in one request'],
  start_time_in_past: [400, 'The start time has passed'],
  idempotency_key_required: [400, 'This request needs an Idempotency-Key'],
  invalid_idempotency_key: [400, 'The Idempotency-Key is not valid'],
  unauthenticated: [401, 'A valid caller key is required'],
  invalid_signature: [401, 'The webhook signature does not verify'],
  insufficient_scope: [403, 'The caller key lacks a scope'],
  not_found: [404, 'No such resource'],
  event_type_not_found: [404, 'No such event type'],
  booking_not_found: [404, 'No such booking'],
  hold_not_found: [404, 'No such hold'],
  refund_not_found: [404, 'No such refund'],
  method_not_allowed: [405, 'This resource does not know that method'],
  slot_unavailable: [409, 'That time cannot be booked'],
  hold_expired: [409, 'The hold has expired'],
  hold_used: [409, 'The hold has been used'],
  hold_lost: [409, 'The hold was lost'],
  endpoint_disabled: [409, 'The event endpoint is disabled'],
  too_many_secrets: [409, 'Too many secrets sign already'],
  too_many_endpoints: [409, 'There are too many event endpoints'],
  subscription_not_kept: [409, 'No webhook subscription is kept'],
  group_event: [409, 'Other invitees share this event'],
  overlaps_itself: [409, 'The new time overlaps the old one'],
  not_cancelable: [409, 'This booking cannot be canceled'],
  not_reschedulable: [409, 'This booking cannot be rescheduled'],
  not_resolvable: [409, 'This booking needs nobody to resolve it'],
  charge_disputed: [409, 'The charge is disputed'],
  refund_not_awaiting_approval: [409, 'This refund waits for nobody'],
  refund_not_retryable: [409, 'This refund cannot be tried again'],
  idempotency_in_progress: [409, 'The first request with this key is still running'],
  body_too_large: [413, 'The body is too large'],
  unsupported_media_type: [415, 'Send application/json'],
  hold_mismatch: [422, 'The hold is of another event type or time'],
  idempotency_key_reused: [422, 'This key was used for another request'],
  invalid_location: [422, 'The location does not suit the event type'],
  missing_answer: [422, 'A required question was not answered'],
  invalid_answer: [422, 'An answer was refused'],
  calendly_rejected: [422, 'Calendly refused the request'],
  payment_invalid: [422, 'The payment is not one of ours, or was not made'],
  refund_exceeds_charge: [422, 'More than is left of the charge'],
  not_refundable: [422, 'This booking cannot be refunded'],
  nothing_to_refund: [422, 'There is nothing to refund'],
  key_rejected: [422, 'Calendly does not accept this key'],
  key_other_organization: [422, 'This key belongs to another organization'],
  rate_limited: [429, 'Too many requests'],
  booking_quota_exhausted: [429, 'The booking quota is used up'],
  internal: [500, 'Something went wrong on our side'],
  calendly_unavailable: [503, 'Calendly cannot be reached right now'],
  stripe_unavailable: [503, 'Stripe cannot be reached right now'],
  database_unavailable: [503, 'The database cannot be reached right now'],
  overloaded: [503, 'The service is at its limit']
} as const satisfies Record<string, readonly [status: number, title: string]>

export type ProblemCode = keyof typeof problems

/** A part of the request that is at fault: a JSON pointer into it, and what is wrong there. */
export type Fault = { pointer: string; detail: string }

export type AppErrorOptions = {
  cause?: unknown
  /** Becomes `Retry-After`, rounded up to seconds. */
  retryAfterMs?: number
  faults?: readonly Fault[]
  /** Further members of the problem object (RFC 9457, 3.2), already in the contract's shape. */
  members?: Readonly<Record<string, unknown>>
}

/** A failure with a code of the catalogue. Its `message` is shown to the caller unless the status is 5xx. */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: ProblemCode
  readonly retryAfterMs: number | undefined
  readonly faults: readonly Fault[]
  readonly members: Readonly<Record<string, unknown>>

  constructor(code: ProblemCode, detail?: string, options: AppErrorOptions = {}) {
    super(detail ?? problems[code][1], { cause: options.cause })
    this.code = code
    this.retryAfterMs = options.retryAfterMs
    this.faults = options.faults ?? []
    this.members = options.members ?? {}
  }

  get status(): number {
    return problems[this.code][0]
  }
}
