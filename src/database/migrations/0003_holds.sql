-- Ours, on top of Calendly's own; an event type without a row has the defaults.
create table event_type_settings (
  tenant_id text not null references tenants,
  event_type text not null,
  buffer_before_minutes integer not null check (buffer_before_minutes between 0 and 180),
  buffer_after_minutes integer not null check (buffer_after_minutes between 0 and 180),
  minimum_notice_minutes integer not null check (minimum_notice_minutes >= 0),
  max_per_day integer check (max_per_day >= 1),
  refund_policy text not null,
  updated_at timestamptz not null,
  primary key (tenant_id, event_type)
);

create table holds (
  id text primary key,
  tenant_id text not null references tenants,
  caller text not null, -- by name: rotating a caller key keeps its holds
  status text not null check (status in ('active', 'used', 'released', 'expired', 'lost')),
  event_type text not null,
  start_time timestamptz not null,
  end_time timestamptz not null check (end_time > start_time),
  details jsonb not null,
  booking_id text references bookings, -- that uses or used it
  expires_at timestamptz not null, -- by the database's clock
  created_at timestamptz not null,
  updated_at timestamptz not null
);
create index on holds (tenant_id, event_type, start_time) where status = 'active';
create index on holds (expires_at) where status = 'active';
create index on holds (booking_id) where booking_id is not null;
create index on holds (id) where status = 'lost';
create index on booking_timeline (type) where type in ('overlap_found', 'submitted_again');

-- `busy` is the time with its buffers; what lies between these two is the appointment itself. Claims of the version
-- before have neither: theirs is all of `busy`.
alter table claims
  add column start_time timestamptz,
  add column end_time timestamptz,
  add column pool text[]; -- any one host of these will do, as long as Calendly has not named it
-- By the bare column the planner would walk the exclusion's index, which is slow without a host.
create index on claims (tenant_id, nullif(session, owner_id));
create index on claims (expires_at) where expires_at is not null;

-- How many seats a group session has, and the row to queue at for one of them.
create table sessions (
  tenant_id text not null references tenants,
  session text not null,
  seats integer not null,
  is_told boolean not null, -- by its event at Calendly; else worked out from what was left before there was one
  ends_at timestamptz not null,
  primary key (tenant_id, session)
);
create index on sessions (ends_at);

-- The row to queue at for a place in a day of an event type that takes only so many.
create table event_type_days (
  tenant_id text not null references tenants,
  event_type text not null,
  starts_at timestamptz not null, -- midnight in its owner's zone
  primary key (tenant_id, event_type, starts_at)
);
create index on event_type_days (starts_at);
create index on bookings (tenant_id, event_type, start_time)
  where status in ('pending', 'unknown', 'confirmed', 'needs_attention');

-- A link that carries our tracking: who books through it is recognised by its id.
create table scheduling_links (
  id text primary key,
  tenant_id text not null references tenants,
  event_type text not null,
  session_id text,
  booking_url text not null,
  created_at timestamptz not null
);

-- What was begun on Calendly's own page has a name of its own now.
update bookings set details = jsonb_set(details, '{change,kind}', '"move"')
where details #>> '{change,kind}' = 'reschedule';
