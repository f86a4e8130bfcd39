import type { ColumnType, Generated } from 'kysely'

/** Read as epoch milliseconds on both engines, written as RFC 3339 text. */
type Instant = ColumnType<number, string, string>
type OptionalInstant = ColumnType<number | null, string | null | undefined, string | null>
/** Set by the database unless written. */
type NowInstant = ColumnType<number, string | undefined, string>
/** Read parsed, written as JSON text. */
type Json = ColumnType<unknown, string, string>

/** The schema of `migrations/*.sql`, as Kysely sees it. */
export type Tables = {
  tenants: { id: string; name: string; created_at: NowInstant }
  caller_keys: {
    id: string
    tenant_id: string
    name: string
    key_hash: Buffer
    scopes: string[]
    created_at: Instant
    revoked_at: OptionalInstant
  }
  idempotency_keys: {
    tenant_id: string
    caller: string
    key: string
    method: string
    route: string
    fingerprint: string
    epoch: Generated<number>
    lease_until: Instant
    subject: string | null
    status: number | null
    answer: Buffer | null
    created_at: NowInstant
  }
  bookings: {
    id: string
    tenant_id: string
    status: string
    event_type: string
    start_time: Instant
    end_time: Instant
    invitee_email: string
    hosts: string[]
    calendly_event: string | null
    details: Json
    resolve_at: OptionalInstant
    version: number
    created_at: Instant
    updated_at: Instant
  }
  booking_timeline: {
    id: Generated<number>
    tenant_id: string
    booking_id: string
    at: Instant
    type: string
    detail: Json
  }
  invitees: { tenant_id: string; uri: string; booking_id: string; state: string }
  claims: {
    id: Generated<number>
    tenant_id: string
    host: string
    owner_id: string
    session: string
    busy: string
    start_time: Instant
    end_time: Instant
    pool: string[] | null
    expires_at: OptionalInstant
  }
  event_type_settings: {
    tenant_id: string
    event_type: string
    buffer_before_minutes: number
    buffer_after_minutes: number
    minimum_notice_minutes: number
    max_per_day: number | null
    refund_policy: string
    updated_at: Instant
  }
  holds: {
    id: string
    tenant_id: string
    caller: string
    status: string
    event_type: string
    start_time: Instant
    end_time: Instant
    details: Json
    booking_id: string | null
    expires_at: Instant
    created_at: Instant
    updated_at: Instant
  }
  sessions: { tenant_id: string; session: string; seats: number; is_told: boolean; ends_at: Instant }
  event_type_days: { tenant_id: string; event_type: string; starts_at: Instant }
  scheduling_links: {
    id: string
    tenant_id: string
    event_type: string
    session_id: string | null
    booking_url: string
    created_at: Instant
  }
  deliveries: {
    id: string
    tenant_id: string
    slot: string | null
    digest: Buffer
    body: Buffer
    event: string | null
    subject: string | null
    signed_at: Instant
    received_at: NowInstant
    status: string
    reason: string | null
    attempts: Generated<number>
    due_at: OptionalInstant
    processed_at: OptionalInstant
  }
  event_subjects: { tenant_id: string; subject: string; sequence: number }
  events: {
    id: string
    tenant_id: string
    type: string
    subject: string
    sequence: number
    at: Instant
    body: Buffer
    written: Generated<number>
    position: number | null
  }
  events_head: { is_only: Generated<boolean>; position: number }
  event_endpoints: {
    id: string
    tenant_id: string
    url: string
    types: string[]
    description: string | null
    status: string
    disabled_reason: string | null
    failing_since: OptionalInstant
    created_at: Instant
    updated_at: Instant
  }
  event_endpoint_secrets: {
    id: Generated<number>
    endpoint_id: string
    secret: Buffer
    expires_at: OptionalInstant
  }
  event_deliveries: {
    endpoint_id: string
    event_id: string
    position: number
    subject: string
    status: string
    attempts: Generated<number>
    due_at: OptionalInstant
    last_attempt_at: OptionalInstant
    last_status: number | null
    last_error: string | null
    last_duration_ms: number | null
  }
  webhook_slots: {
    slot: string
    tenant_id: string
    signing_key: Buffer
    made: Generated<number>
    created_at: Instant
    retire_at: OptionalInstant
  }
  calendly_subscriptions: {
    tenant_id: string
    slot: string | null
    uri: string | null
    callback_url: string
    state: string
    scope: string | null
    events: string[]
    retry_started_at: OptionalInstant
    missed_since: OptionalInstant
    created_at: OptionalInstant
    checked_at: Instant
  }
  reconciliations: {
    id: string
    tenant_id: string
    kind: string
    trigger: string
    requested_by: string | null
    status: string
    range_from: OptionalInstant
    range_to: OptionalInstant
    place: ColumnType<unknown, string | null | undefined, string | null>
    report: Json
    failure: string | null
    created_at: Instant
    started_at: OptionalInstant
    finished_at: OptionalInstant
  }
  leases: { name: string; epoch: Generated<number>; holder: string | null; expires_at: Instant }
  calendly_keys: {
    tenant_id: string
    name: string
    source: string
    fingerprint: string
    token: Buffer | null
    last_four: string
    state: string
    priority: number
    calendly_user: string | null
    organization: string | null
    invalid_since: OptionalInstant
    probed_at: OptionalInstant
    retire_at: OptionalInstant
    usage_count: Generated<number>
    last_used_at: OptionalInstant
    created_at: Instant
  }
  calendly_key_notices: {
    id: Generated<number>
    tenant_id: string
    name: string
    fingerprint: string
    kind: string
    occasion: string
    detail: Json
    at: Instant
  }
  calendly_quotas: {
    calendly_user: string
    quota_limit: number | null
    remaining: Generated<number>
    told: number | null
    in_flight: Generated<number>
    reset_at: Instant
    rests_until: ColumnType<number, string | undefined, string>
  }
  calendly_booking_calls: { id: Generated<number>; calendly_user: string; sent_at: NowInstant }
  audit_log: {
    id: Generated<number>
    tenant_id: string
    at: Instant
    actor: string
    action: string
    subject: string
    detail: Json
  }
  refund_policies: {
    tenant_id: string
    name: string
    version: number
    tiers: Json
    host_cancel_percent_hundredths: number
    no_show_percent_hundredths: number
    clock: string
    created_at: Instant
  }
  charges: {
    tenant_id: string
    id: string
    payment_intent: string | null
    booking_id: string
    currency: string
    captured: number
    reserved: Generated<number>
    elsewhere: Generated<number>
    refunded: number
    dispute: string | null
    livemode: boolean
    look_at: OptionalInstant
    looks: Generated<number>
    looked_at: Instant
    created_at: Instant
  }
  refunds: {
    id: string
    tenant_id: string
    booking_id: string
    charge: string
    status: string
    trigger: string
    amount: number
    currency: string
    idempotency_key: string | null
    stripe_refund: string | null
    details: Json
    resolve_at: OptionalInstant
    version: number
    created_at: Instant
    updated_at: Instant
  }
  ledger_entries: {
    id: Generated<number>
    tenant_id: string
    transaction_id: string
    charge: string
    refund_id: string | null
    account: string
    amount: number
    currency: string
    at: Instant
  }
  payment_tasks: {
    tenant_id: string
    booking_id: string
    kind: string
    details: Json
    attempts: Generated<number>
    due_at: NowInstant
    created_at: Instant
  }
}
