"""The messages nobody could record are found without reading all that became of the others."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INDEX = """
create index inbox_result_set_aside on ledger.inbox_result (inbox_id)
  where disposition in ('unparsed', 'redrive')
"""


def upgrade() -> None:
    op.execute(INDEX)


def downgrade() -> None:
    op.execute("drop index ledger.inbox_result_set_aside")
