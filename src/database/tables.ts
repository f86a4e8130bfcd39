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
    signed_at: Instant
    received_at: NowInstant
    status: string
    reason: string | null
    attempts: Generated<number>
    due_at: OptionalInstant
    processed_at: OptionalInstant
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
}
