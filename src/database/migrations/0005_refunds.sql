-- Every change of a policy is a new version; a booking keeps the one that it was made under.
create table refund_policies (
  tenant_id text not null references tenants,
  name text not null,
  version integer not null check (version > 0),
  tiers jsonb not null, -- [{noticeHours, percentHundredths}], falling
  host_cancel_percent_hundredths integer not null check (host_cancel_percent_hundredths between 0 and 10000),
  no_show_percent_hundredths integer not null check (no_show_percent_hundredths between 0 and 10000),
  clock text not null check (clock in ('start', 'first_start')),
  created_at timestamptz not null,
  primary key (tenant_id, name, version)
);

-- A charge in Stripe as it was last read, and what is taken of it. Amounts are Stripe's integers.
create table charges (
  tenant_id text not null references tenants,
  id text not null, -- ch_… or py_…
  payment_intent text,
  booking_id text not null references bookings, -- the first that it paid for
  currency text not null,
  captured bigint not null check (captured >= 0),
  reserved bigint not null default 0 check (reserved >= 0), -- by refunds of ours that are under way or have succeeded
  elsewhere bigint not null default 0 check (elsewhere >= 0), -- by refunds made in Stripe itself
  refunded bigint not null, -- Stripe's own amount_refunded
  dispute text, -- the dispute that stands in the way
  livemode boolean not null,
  look_at timestamptz, -- when it is to be read again, by the database's clock
  looks integer not null default 0, -- in a row that changed nothing
  looked_at timestamptz not null, -- when it was read last, by Stripe's answer
  created_at timestamptz not null,
  primary key (tenant_id, id)
);
create index on charges (look_at) where look_at is not null;
create index on charges (tenant_id, booking_id);
create index on charges (tenant_id, payment_intent);

create table refunds (
  id text primary key,
  tenant_id text not null references tenants,
  booking_id text not null references bookings,
  charge text not null,
  status text not null check (status in ('awaiting_approval', 'requested', 'submitting', 'unknown', 'pending',
    'requires_action', 'succeeded', 'failed', 'canceled', 'rejected')),
  trigger text not null check (trigger in ('cancellation', 'no_show', 'manual', 'external')),
  amount bigint not null check (amount > 0),
  currency text not null,
  idempotency_key text, -- Stripe's; null of those made in Stripe itself
  stripe_refund text,
  details jsonb not null,
  resolve_at timestamptz, -- when it is to be taken further, by the database's clock
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  foreign key (tenant_id, charge) references charges (tenant_id, id),
  unique (tenant_id, stripe_refund)
);
create index on refunds (tenant_id, id);
create index on refunds (tenant_id, booking_id, id);
create index on refunds (tenant_id, charge);
create index on refunds (resolve_at) where resolve_at is not null;
-- One that nobody asked for, for each booking.
create unique index refunds_one_automatic on refunds (tenant_id, booking_id)
  where trigger in ('cancellation', 'no_show');

-- Where each cent of a charge is. A transaction's entries sum to zero; what is written stays.
create table ledger_entries (
  id bigint generated always as identity primary key,
  tenant_id text not null references tenants,
  transaction_id text not null,
  charge text not null,
  refund_id text references refunds,
  account text not null check (account in ('captured', 'refundable', 'reserved', 'refunded', 'elsewhere')),
  amount bigint not null check (amount <> 0),
  currency text not null,
  at timestamptz not null,
  foreign key (tenant_id, charge) references charges (tenant_id, id)
);
create index on ledger_entries (tenant_id, charge);
create index on ledger_entries (transaction_id);
create index on ledger_entries (refund_id);

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% of % is refused: it is append-only', tg_op, tg_table_name using errcode = 'restrict_violation';
end $$;
create trigger ledger_entries_append_only before update or delete on ledger_entries
  for each row execute function refuse_change();
create trigger ledger_entries_no_truncate before truncate on ledger_entries
  for each statement execute function refuse_change();

-- What is to be read or decided at Stripe for a booking, once its fact is committed.
create table payment_tasks (
  tenant_id text not null references tenants,
  booking_id text not null references bookings,
  kind text not null check (kind in ('read', 'refund')),
  details jsonb not null,
  attempts integer not null default 0,
  due_at timestamptz not null default now(),
  created_at timestamptz not null,
  primary key (tenant_id, booking_id, kind)
);
create index on payment_tasks (due_at);
