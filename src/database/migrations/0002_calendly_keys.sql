-- Every Calendly credential there has been. Those of the environment keep no token here.
create table calendly_keys (
  tenant_id text not null references tenants,
  name text not null,
  source text not null check (source in ('environment', 'api')),
  fingerprint text not null, -- SHA-256 of the token, in hex: tells a token from its successor of the same name
  token bytea, -- sealed; null for the environment's, and once revoked
  last_four text not null,
  state text not null check (state in ('pending', 'active', 'retiring', 'revoked')),
  priority integer not null, -- 1 is asked first
  calendly_user text, -- known once verified, as the organization
  organization text,
  invalid_since timestamptz,
  probed_at timestamptz, -- when an invalid one was last tried, by the database's clock
  retire_at timestamptz,
  usage_count bigint not null default 0,
  last_used_at timestamptz,
  created_at timestamptz not null,
  primary key (tenant_id, name)
);

-- What is said once about a key, whoever notices it first; each becomes an event.
create table calendly_key_notices (
  id bigint generated always as identity primary key,
  tenant_id text not null references tenants,
  name text not null,
  fingerprint text not null,
  kind text not null,
  occasion text not null default '', -- tells repetitions of what may happen more than once
  detail jsonb not null,
  at timestamptz not null,
  unique (tenant_id, fingerprint, kind, occasion)
);

-- The request quota of a Calendly user's minute, shared by all replicas.
create table calendly_quotas (
  calendly_user text primary key,
  quota_limit integer, -- unknown until Calendly says
  remaining integer not null default 0, -- by our own count; below zero by what was taken before the limit is known
  told integer, -- the least that Calendly has said remains in this window
  in_flight integer not null default 0,
  reset_at timestamptz not null,
  rests_until timestamptz not null default '-infinity'
);

-- Calls of POST /invitees, which have a quota of their own.
create table calendly_booking_calls (
  id bigint generated always as identity primary key,
  calendly_user text not null,
  sent_at timestamptz not null default clock_timestamp()
);
create index on calendly_booking_calls (calendly_user, sent_at);

-- Who changed money, keys, tenants or policies; written in the transaction of the change.
create table audit_log (
  id bigint generated always as identity primary key,
  tenant_id text not null references tenants,
  at timestamptz not null,
  actor text not null,
  action text not null,
  subject text not null,
  detail jsonb not null
);
create index on audit_log (tenant_id, id);
