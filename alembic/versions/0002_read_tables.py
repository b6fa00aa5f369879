"""The read side: a schema of its own, and the registry that says which table answers for which projection."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SCHEMA = """
do $$ begin execute format('grant ledger_proj to %I', current_user); end $$;
create schema read authorization ledger_proj;
set local role ledger_proj;

create table read.projection (
  name       text        primary key,
  version    integer     not null check (version > 0),
  generation integer     not null check (generation > 0),
  table_name text        not null unique,
  position   bigint      not null check (position >= 0),
  state      text        not null check (state in ('live', 'failed')),
  last_error text,
  updated_at timestamptz not null default clock_timestamp()
);

-- A checkpoint only grows, and a table once replaced never answers again.
create function read.only_forward() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
  if new.position < old.position or new.generation < old.generation then
    raise exception 'projection % cannot go back', old.name using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;
create trigger only_forward before update on read.projection
  for each row execute function read.only_forward();

-- The tables come and go with the versions of their projections; whoever may read one may read all.
grant usage on schema read to ledger_app, ledger_audit, ledger_backup;
grant select on read.projection to ledger_app, ledger_audit, ledger_backup;
alter default privileges in schema read grant select on tables to ledger_app, ledger_audit, ledger_backup;
reset role;
"""


def upgrade() -> None:
    op.execute(SCHEMA)


def downgrade() -> None:
    raise RuntimeError("read tables are rebuilt, not migrated back")
