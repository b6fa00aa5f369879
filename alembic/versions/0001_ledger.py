"""The ledger: events, inbox, references, snapshots; append-only by grant and by trigger."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = ("events", "order_ref", "inbox", "inbox_result", "snapshots")

ROLES = """
do $$
declare
  wanted record;
begin
  for wanted in select * from (values
    ('ledger_owner', 'nologin', ''),
    ('ledger_app', 'login', '1s'),
    ('ledger_proj', 'login', '5s'),
    ('ledger_seal', 'login', '1s'),
    ('ledger_audit', 'login', '1s'),
    ('ledger_backup', 'login', '')) as roles (name, login, lock_timeout)
  loop
    if not exists (select from pg_roles where rolname = wanted.name) then
      execute format('create role %I %s', wanted.name, wanted.login);
      if wanted.lock_timeout <> '' then
        execute format('alter role %I set lock_timeout = %L', wanted.name, wanted.lock_timeout);
      end if;
      if wanted.name = 'ledger_app' then
        alter role ledger_app set statement_timeout = '5s';
        alter role ledger_app set idle_in_transaction_session_timeout = '2s';
      end if;
    end if;
  end loop;
  execute format('grant ledger_owner to %I', current_user);
end $$;
"""

SCHEMA = """
create schema ledger authorization ledger_owner;
set local role ledger_owner;

create table ledger.events (
  position           bigint      primary key check (position > 0),
  stream             text        not null check (stream <> ''),
  version            bigint      not null check (version >= 0),
  topic              text        not null,
  body               bytea       not null,
  recorded_at        timestamptz not null,
  occurred_at        timestamptz not null,
  actor              text        not null,
  actor_kind         text        not null,
  on_behalf_of       text,
  auth_method        text,
  address            text,
  command_id         text        not null,
  command_index      integer     not null check (command_index >= 0),
  correlation_id     text        not null,
  causation_position bigint,
  source             text        not null,
  lease_epoch        bigint,
  build              text        not null,
  constraint events_stream_version unique (stream, version),
  constraint events_command unique (command_id, command_index)
) with (autovacuum_vacuum_insert_scale_factor = 0.1);

create table ledger.order_ref (
  broker_order_id text primary key,
  client_order_id text not null
);

create table ledger.inbox (
  inbox_id    bigint      generated always as identity primary key,
  source      text        not null,
  received_at timestamptz not null,
  headers     text        not null,
  raw         bytea       not null
);

create table ledger.inbox_result (
  inbox_id    bigint      not null references ledger.inbox,
  attempt     integer     not null check (attempt > 0),
  disposition text        not null,
  position    bigint,
  recorded_at timestamptz not null default clock_timestamp(),
  primary key (inbox_id, attempt)
);

create table ledger.snapshots (
  stream        text        not null,
  state_version text        not null,
  version       bigint      not null,
  state         bytea       not null,
  taken_at      timestamptz not null default clock_timestamp(),
  primary key (stream, state_version, version)
);

create view ledger.stored_events with (security_invoker = true) as
  select stream as originator_id, version as originator_version, topic, body as state,
         position as notification_id
    from ledger.events;
"""

FUNCTIONS = """
create function ledger.refuse() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
  raise exception 'append-only table %', tg_table_name using errcode = 'insufficient_privilege';
end $$;

-- Position n needs position n - 1, and n is unique: so positions are 1..N for ever, whoever inserts.
-- The rows of one append share one instant, so that no "as of" ever shows half of an append.
create function ledger.number() returns trigger language plpgsql set search_path = pg_catalog as $$
declare
  same_append boolean;
begin
  select e.recorded_at, e.xmin = pg_current_xact_id()::xid into new.recorded_at, same_append
    from ledger.events e where e.position = new.position - 1;
  if not found and new.position <> 1 then
    raise exception 'position % does not follow the head of the ledger', new.position
      using errcode = 'integrity_constraint_violation';
  end if;
  if same_append is not true then
    new.recorded_at := greatest(new.recorded_at, clock_timestamp());
  end if;
  return new;
end $$;

-- Compare and append. Returns what the caller has missed (and inserts nothing), or inserts and returns the
-- last row inserted. Every statement below takes a snapshot of its own, after the lock was granted; that is
-- why this is plpgsql, volatile and read committed.
create function ledger.append(expected_head bigint, events text, fresh text[], refs text, results text)
  returns table (inserted boolean, event ledger.events)
  language plpgsql volatile set search_path = pg_catalog
  set enable_seqscan = off -- a plan made while the table was small is kept when it no longer is
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'the ledger is appended to at read committed only'
      using errcode = 'invalid_transaction_state';
  end if;
  if events is not null or results is not null then
    perform pg_advisory_xact_lock(119182731994482);
  end if;

  return query select false, e from ledger.events e
    where e.position > expected_head order by e.position limit 5000;
  if found then return; end if;
  if cardinality(fresh) > 0 then
    return query select false, e from ledger.events e where e.stream = any (fresh) order by e.position;
    if found then return; end if;
  end if;

  if events is not null then
    insert into ledger.events (
      position, stream, version, topic, body, occurred_at, actor, actor_kind, on_behalf_of, auth_method,
      address, command_id, command_index, correlation_id, causation_position, source, lease_epoch, build)
    select r.position, r.stream, r.version, r.topic, convert_to(r.body, 'UTF8'), r.occurred_at, r.actor,
           r.actor_kind, r.on_behalf_of, r.auth_method, r.address, r.command_id, r.command_index,
           r.correlation_id, r.causation_position, r.source, r.lease_epoch, r.build
      from json_to_recordset(events::json) as r (
        position bigint, stream text, version bigint, topic text, body text, occurred_at timestamptz,
        actor text, actor_kind text, on_behalf_of text, auth_method text, address text, command_id text,
        command_index integer, correlation_id text, causation_position bigint, source text,
        lease_epoch bigint, build text);
    notify stored_events;
  end if;
  if refs is not null then
    insert into ledger.order_ref (broker_order_id, client_order_id)
    select r.broker_order_id, r.client_order_id
      from json_to_recordset(refs::json) as r (broker_order_id text, client_order_id text)
    on conflict do nothing;
  end if;
  if results is not null then
    insert into ledger.inbox_result (inbox_id, attempt, disposition, position)
    select r.inbox_id, 1 + count(i.attempt), r.disposition, r.position
      from json_to_recordset(results::json) as r (inbox_id bigint, disposition text, position bigint)
      left join ledger.inbox_result i on i.inbox_id = r.inbox_id
     group by r.inbox_id, r.disposition, r.position
    on conflict do nothing;
  end if;
  return query select true, e from ledger.events e order by e.position desc limit 1;
end $$;

-- The last position recorded at or before a time: a binary search, because positions have no gap and
-- recorded_at never goes back.
create function ledger.position_at(as_of timestamptz) returns bigint
  language plpgsql stable set search_path = pg_catalog as $$
declare
  low bigint := 0;
  high bigint := coalesce((select max(e.position) from ledger.events e), 0);
  middle bigint;
begin
  while low < high loop
    middle := (low + high + 1) / 2;
    if (select e.recorded_at <= as_of from ledger.events e where e.position = middle) then
      low := middle;
    else
      high := middle - 1;
    end if;
  end loop;
  return low;
end $$;

create trigger number before insert on ledger.events for each row execute function ledger.number();
alter table ledger.events enable always trigger number;
"""

APPEND_ONLY = """
create trigger no_change before update or delete on ledger.{table}
  for each row execute function ledger.refuse();
create trigger no_truncate before truncate on ledger.{table}
  for each statement execute function ledger.refuse();
alter table ledger.{table} enable always trigger no_change;
alter table ledger.{table} enable always trigger no_truncate;
"""

GRANTS = """
revoke all on all tables in schema ledger from public;
revoke all on all functions in schema ledger from public;
grant usage on schema ledger to ledger_app, ledger_proj, ledger_seal, ledger_audit, ledger_backup;

grant select on all tables in schema ledger to ledger_app, ledger_audit, ledger_backup;
grant select on ledger.events, ledger.stored_events to ledger_proj, ledger_seal;

-- Every column but recorded_at: the clock of the ledger is the database's.
grant insert (position, stream, version, topic, body, occurred_at, actor, actor_kind, on_behalf_of,
  auth_method, address, command_id, command_index, correlation_id, causation_position, source, lease_epoch,
  build) on ledger.events to ledger_app;
grant insert on ledger.order_ref, ledger.inbox to ledger_app;
grant insert (inbox_id, attempt, disposition, position) on ledger.inbox_result to ledger_app;
grant insert (stream, state_version, version, state) on ledger.snapshots to ledger_app;

grant execute on function ledger.append(bigint, text, text[], text, text) to ledger_app;
grant execute on function ledger.position_at(timestamptz) to ledger_app, ledger_proj, ledger_audit;
reset role;
"""

DATABASE_GRANTS = """
do $$ begin
  execute format('revoke all on database %I from public', current_database());
  execute format('grant connect on database %I to '
    'ledger_app, ledger_proj, ledger_seal, ledger_audit, ledger_backup', current_database());
end $$;
revoke all on schema public from public;
grant usage on schema public to ledger_app, ledger_proj, ledger_seal, ledger_audit, ledger_backup;
grant select on alembic_version to ledger_app, ledger_proj, ledger_seal, ledger_audit, ledger_backup;
"""


def upgrade() -> None:
    op.execute(ROLES)
    op.execute(SCHEMA)
    op.execute(FUNCTIONS)
    for table in TABLES:
        op.execute(APPEND_ONLY.format(table=table))
    op.execute(GRANTS)
    op.execute(DATABASE_GRANTS)


def downgrade() -> None:
    raise RuntimeError("the ledger only moves forward")
