-- Where the next event of a subject takes its number. Locking the row keeps a subject's events in order.
create table event_subjects (
  tenant_id text not null references tenants,
  subject text not null,
  sequence bigint not null,
  primary key (tenant_id, subject)
);

create table events (
  id text primary key,
  tenant_id text not null references tenants,
  type text not null,
  subject text not null,
  sequence bigint not null,
  at timestamptz not null,
  body bytea not null, -- the final bytes: every reader and every attempt has the same
  written bigint generated always as identity,
  position bigint unique, -- given after commit, by one writer at a time: a reader who pages by it skips nothing
  unique (tenant_id, subject, sequence)
);
create index on events (written) where position is null;
create index on events (tenant_id, position);
create index on events (at);

-- The position given last.
create table events_head (
  is_only boolean primary key default true check (is_only),
  position bigint not null
);
insert into events_head (position) values (0);

create table event_endpoints (
  id text primary key,
  tenant_id text not null references tenants,
  url text not null,
  types text[] not null,
  description text,
  status text not null check (status in ('enabled', 'disabled')),
  disabled_reason text check (disabled_reason in ('requested', 'gone', 'failing')),
  failing_since timestamptz, -- first failure since its last success, by the database's clock
  created_at timestamptz not null,
  updated_at timestamptz not null
);
create index on event_endpoints (tenant_id, id);

create table event_endpoint_secrets (
  id bigint generated always as identity primary key,
  endpoint_id text not null references event_endpoints on delete cascade,
  secret bytea not null, -- sealed
  expires_at timestamptz -- of one that was replaced and still signs; by the database's clock
);
create index on event_endpoint_secrets (endpoint_id);

-- What an endpoint is still to be told, and what became of telling it.
create table event_deliveries (
  endpoint_id text not null references event_endpoints on delete cascade,
  event_id text not null references events on delete cascade,
  position bigint not null, -- the event's
  subject text not null,
  status text not null check (status in ('pending', 'succeeded', 'failed')),
  attempts integer not null default 0,
  due_at timestamptz, -- null: nothing left to do; while an attempt runs, when it counts as lost
  last_attempt_at timestamptz,
  last_status integer, -- HTTP
  last_error text,
  last_duration_ms integer,
  primary key (endpoint_id, event_id)
);
create index on event_deliveries (event_id);
create index on event_deliveries (endpoint_id, position);
create index on event_deliveries (endpoint_id, due_at, position) where due_at is not null;
create index on event_deliveries (endpoint_id, subject, position) where status = 'pending' and attempts = 0;
create index on event_deliveries (endpoint_id, position) where status = 'failed';

-- Paths of the webhook intake, each with the key that signs there. The bare path has those of the environment.
create table webhook_slots (
  slot text primary key,
  tenant_id text not null references tenants,
  signing_key bytea not null, -- sealed
  made bigint generated always as identity, -- the newest is the one in use
  created_at timestamptz not null,
  retire_at timestamptz -- from when nothing is accepted there any more; by the database's clock
);
create index on webhook_slots (tenant_id);

-- Our subscription as the latest look of any replica left it.
create table calendly_subscriptions (
  tenant_id text primary key references tenants,
  slot text, -- null: the bare path
  uri text,
  callback_url text not null,
  state text not null check (state in ('active', 'disabled', 'missing')),
  scope text,
  events text[] not null,
  retry_started_at timestamptz, -- since when Calendly's deliveries fail
  missed_since timestamptz, -- since when webhooks may have been lost, while none is active
  created_at timestamptz, -- at Calendly
  checked_at timestamptz not null
);

create table reconciliations (
  id text primary key,
  tenant_id text not null references tenants,
  kind text not null check (kind in ('calendly', 'stripe')),
  trigger text not null check (trigger in ('start', 'schedule', 'gap', 'request')),
  requested_by text,
  status text not null check (status in ('queued', 'running', 'succeeded', 'failed')),
  range_from timestamptz,
  range_to timestamptz,
  place jsonb, -- recovery point: how far it has come
  report jsonb not null,
  failure text,
  created_at timestamptz not null,
  started_at timestamptz,
  finished_at timestamptz
);
create index on reconciliations (tenant_id, id);
create index on reconciliations (id) where status in ('queued', 'running');

alter table deliveries add column subject text; -- URI of the invitee, event type or submission that it speaks of
create index on deliveries (tenant_id, subject) where status = 'quarantined';
create index on deliveries (received_at);

-- Changes that are under way.
create index on bookings (tenant_id) where details ? 'change';

-- By event, whose URI is the beginning of its invitees'.
create index on invitees (tenant_id, split_part(uri, '/invitees/', 1));
