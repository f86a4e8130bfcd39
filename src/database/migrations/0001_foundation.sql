create extension if not exists btree_gist;

create table tenants (
  id text primary key,
  name text not null,
  created_at timestamptz not null default now()
);
insert into tenants (id, name) values ('default', 'default');

create table caller_keys (
  id text primary key,
  tenant_id text not null references tenants,
  name text not null,
  key_hash bytea not null unique,
  scopes text[] not null,
  created_at timestamptz not null default now(),
  revoked_at timestamptz
);
create index on caller_keys (tenant_id, id);

-- One row per Idempotency-Key: running while status is null, afterwards the answer to replay.
create table idempotency_keys (
  tenant_id text not null references tenants,
  caller text not null,
  key text not null,
  method text not null,
  route text not null,
  fingerprint text not null,
  epoch bigint not null default 1,
  lease_until timestamptz not null,
  subject text, -- recovery point: the id of what was begun
  status integer,
  answer bytea, -- sealed: answers carry people and, once, a caller key
  created_at timestamptz not null default now(),
  primary key (tenant_id, caller, key)
);
create index on idempotency_keys (created_at);

-- What is searched has a column; the rest of a booking is read and written whole.
create table bookings (
  id text primary key,
  tenant_id text not null references tenants,
  status text not null
    check (status in ('pending', 'unknown', 'confirmed', 'canceled', 'rejected', 'needs_attention')),
  event_type text not null,
  start_time timestamptz not null,
  end_time timestamptz not null check (end_time > start_time),
  invitee_email text not null,
  hosts text[] not null,
  calendly_event text,
  details jsonb not null,
  resolve_at timestamptz, -- when the resolver looks at it next, by the database's clock
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null
);
create index on bookings (tenant_id, id);
create index on bookings (tenant_id, event_type, id);
create index on bookings using gin (hosts);
create index on bookings (tenant_id, start_time);
create index on bookings (tenant_id, invitee_email);
create index on bookings (tenant_id, calendly_event);
create index on bookings (resolve_at) where resolve_at is not null;
create index on bookings (status) where status in ('pending', 'unknown', 'needs_attention');

create table booking_timeline (
  id bigint generated always as identity primary key,
  tenant_id text not null references tenants,
  booking_id text not null references bookings,
  at timestamptz not null,
  type text not null,
  detail jsonb not null
);
create index on booking_timeline (tenant_id, booking_id, id);

-- Every Calendly invitee we have heard of; a reschedule gives a booking another one. What is
-- canceled or moved stays so: a late "created" finds it here and revives nothing.
create table invitees (
  tenant_id text not null references tenants,
  uri text not null,
  booking_id text not null references bookings,
  state text not null check (state in ('expected', 'active', 'moved', 'canceled')),
  primary key (tenant_id, uri)
);
create index on invitees (booking_id);

create table claims (
  id bigint generated always as identity primary key,
  tenant_id text not null references tenants,
  host text not null,
  owner_id text not null,
  session text not null, -- one-on-one: owner_id; group: event type and start
  busy tstzrange not null check (lower_inc(busy) and not upper_inc(busy) and not isempty(busy)),
  expires_at timestamptz, -- holds only
  constraint claims_exclude exclude using gist (tenant_id with =, host with =, busy with &&, session with <>)
);
create index on claims (tenant_id, owner_id);
create index on claims (upper(busy));

-- The inbox: a webhook is acknowledged once its row is committed.
create table deliveries (
  id text primary key,
  tenant_id text not null references tenants,
  slot text, -- the subscription's path; null is the bare one
  digest bytea not null, -- SHA-256 of the body: Calendly sends no delivery id
  body bytea not null,
  event text,
  signed_at timestamptz not null,
  received_at timestamptz not null default now(),
  status text not null check (status in ('received', 'processed', 'dead', 'quarantined')),
  reason text,
  attempts integer not null default 0,
  due_at timestamptz default now(), -- null: nothing left to do
  processed_at timestamptz,
  unique (tenant_id, digest)
);
create index on deliveries (due_at) where due_at is not null;
create index on deliveries (tenant_id, id);
create index on deliveries (status) where status <> 'processed';

create table leases (
  name text primary key,
  epoch bigint not null default 0,
  holder text,
  expires_at timestamptz not null default '-infinity'
);
