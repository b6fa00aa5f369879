"""The commands as they are called: what they print, and how they end."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import psycopg
import pytest

from gateway.__main__ import app
from gateway.aggregates.audit import OrderRefused
from gateway.aggregates.vocabulary import ClientOrderId
from gateway.api.tokens import OneKey, TokenRules, principal_from
from gateway.cli.stage import free_port
from gateway.ledger.catalog import CATALOG
from gateway.ledger.envelope import Uncommitted
from gateway.ledger.ledger import Ledger
from tests.cli.conftest import Gateway
from tests.projections.desk import Desk, record

COMMANDS = sorted(
    command.callback.__name__.replace("_", "-") for command in app.registered_commands if command.callback
)
READERS = ("follow", "replay", "verify", "rebuild")


def nobody() -> str:
    """An address where no database answers."""
    return f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_teaches_by_example(gateway: Gateway, command: str) -> None:
    shown = gateway(command, "--help")
    assert shown.exit_code == 0
    assert "Examples:" in shown.output
    assert f"gateway {command}" in shown.output


def test_replay_tells_an_order_and_the_state_it_adds_up_to(gateway: Gateway, history: str) -> None:
    told = gateway("replay", "first", DATABASE_URL=history)
    assert told.exit_code == 0
    told_of = [line.split()[2] for line in told.output.splitlines()[:4]]
    assert told_of == ["order.submitted", "order.accepted", "order.filled", "order.filled"]
    assert "order-first at position 6: filled, 100 of 100 AAPL executed" in told.output
    state = json.loads(told.output[told.output.index("\n{") :])
    assert [trade["qty"] for trade in state["fills"]["executions"].values()] == ["40", "60"]


def test_replay_of_a_position_shows_what_is_held(gateway: Gateway, history: str) -> None:
    told = gateway("replay", "position-AAPL", DATABASE_URL=history)
    assert told.exit_code == 0, told.stderr
    assert "executed" not in told.stdout
    assert '"qty": "100"' in told.stdout


def test_a_message_that_is_not_kept_aside_cannot_be_driven_again(gateway: Gateway, history: str) -> None:
    told = gateway("inbox", "redrive", "7", DATABASE_URL=history)
    assert told.exit_code == 1
    assert "not kept aside: 7" in told.stderr


def test_replay_stops_at_a_position(gateway: Gateway, history: str) -> None:
    told = gateway("replay", "order-first", "--to", "3", DATABASE_URL=history)
    assert "order.accepted" in told.output
    assert "order.filled" not in told.output


def test_replay_of_what_is_not_there_says_so(gateway: Gateway, history: str) -> None:
    told = gateway("replay", "no-such-order", DATABASE_URL=history)
    assert told.exit_code == 1
    assert "no order 'no-such-order'" in told.stderr


def test_follow_starts_where_it_is_told_to(gateway: Gateway, history: str) -> None:
    told = gateway("follow", "--after", "3", "-n", "2", DATABASE_URL=history)
    assert told.exit_code == 0
    assert [line.split()[0] for line in told.output.splitlines()] == ["4", "5"]


def test_follow_keeps_to_a_topic(gateway: Gateway, history: str) -> None:
    told = gateway("follow", "--after", "0", "--topic", "position.", "-n", "3", DATABASE_URL=history)
    assert [line.split()[2] for line in told.output.splitlines()] == [
        "position.reserved",
        "position.filled",
        "position.filled",
    ]


def test_follow_tells_why_an_order_was_refused(gateway: Gateway, history: str) -> None:
    """The reason goes before what was asked for: a line has room for eight facts."""

    async def refuse() -> None:
        async with Ledger.opened(history, CATALOG, build="test") as ledger:
            desk = Desk()
            desk.submit("fat")
            refused = OrderRefused(
                client_order_id=ClientOrderId("fat"),
                ticket=desk.orders["fat"].ticket,
                gate="fat_finger",
                code="fat_finger_rejected",
                detail="quantity 101 exceeds 100",
            )
            await record(ledger, [(Uncommitted(stream="audit-2026-11-20", event=refused),)])

    asyncio.run(refuse())
    told = gateway("follow", "--after", "0", "--topic", "order.refused", "-n", "1", DATABASE_URL=history)
    assert "detail=quantity 101 exceeds 100" in told.output


def test_rebuild_ends_with_the_proof_of_every_table(gateway: Gateway, history: str) -> None:
    told = gateway("rebuild", "orders", "positions", DATABASE_URL=history)
    assert told.exit_code == 0
    assert [line.partition(":")[0] for line in told.output.splitlines()] == ["orders", "positions"]
    assert all(line.endswith(": equal") for line in told.output.splitlines())


def test_rebuild_of_an_unknown_table_names_those_there_are(gateway: Gateway, history: str) -> None:
    told = gateway("rebuild", "odrers", DATABASE_URL=history)
    assert told.exit_code == 1
    assert "orders, fills, positions" in told.stderr


def test_verify_passes_a_ledger_and_its_tables(gateway: Gateway, history: str) -> None:
    gateway("rebuild", DATABASE_URL=history)
    told = gateway("verify", DATABASE_URL=history)
    assert told.exit_code == 0
    assert "stream_versions" in told.output
    assert "✗" not in told.output


def test_verify_finds_a_table_that_was_edited_by_hand(gateway: Gateway, history: str) -> None:
    gateway("rebuild", "positions", DATABASE_URL=history)
    with psycopg.connect(history, autocommit=True) as connection:
        (table,) = connection.execute(
            "select table_name from read.projection where name = 'positions'"
        ).fetchone() or ("",)
        connection.execute(f"update read.{table} set realized = realized + 1".encode())
    told = gateway("verify", DATABASE_URL=history)
    assert told.exit_code == 1
    assert "✗" in told.output
    assert "positions at position 7, rows different: AAPL" in " ".join(told.output.split())


def test_a_token_is_accepted_by_a_gateway_of_the_same_installation(gateway: Gateway) -> None:
    secret = "0123456789abcdef0123456789abcdef"
    told = gateway(
        "token",
        "--sub",
        "alice",
        "--role",
        "operator",
        "--strategies",
        "alpha, beta",
        JWT_HS256_SECRET=secret,
    )
    rules = TokenRules(
        algorithm="HS256",
        keys=OneKey(secret),
        issuer="trading-platform-web-console",
        audience="trading-platform-api",
        skew_seconds=0,
    )
    principal = asyncio.run(principal_from(told.output.strip(), rules, datetime.now(UTC)))
    assert (principal.sub, principal.strategies) == ("alice", {"alpha", "beta"})


def test_a_token_for_nobody_is_not_minted(gateway: Gateway) -> None:
    told = gateway("token", "--sub", "", "--role", "operator")
    assert (told.exit_code, told.stdout) == (1, "")
    assert "who it is for" in told.stderr


def test_an_unknown_role_names_those_there_are(gateway: Gateway) -> None:
    told = gateway("token", "--sub", "alice", "--role", "king")
    assert told.exit_code == 1
    assert "operator" in told.stderr


def test_outside_dev_a_token_needs_a_real_key(gateway: Gateway) -> None:
    told = gateway(
        "token",
        "--sub",
        "alice",
        ENVIRONMENT="production",
        JWT_JWKS_URL="https://keys.example/jwks",
        WEBHOOK_SECRET="w" * 32,
        DATABASE_URL="postgresql://app:elsewhere@db.example/ledger",
    )
    assert told.exit_code == 2
    assert "JWT_PRIVATE_KEY_PATH" in told.stderr


@pytest.mark.parametrize("command", READERS)
def test_without_a_database_reading_ends_with_status_3_and_advice(gateway: Gateway, command: str) -> None:
    arguments = ["first"] if command == "replay" else []
    told = gateway(command, *arguments, DATABASE_URL=nobody())
    assert told.exit_code == 3
    assert "Connection refused" in told.stderr
    assert "Is Postgres up" in told.stderr


def test_a_configuration_that_cannot_be_used_names_every_problem(gateway: Gateway) -> None:
    told = gateway("verify", DRY_RUN="maybe", HTTP_PORT="eighty")
    assert told.exit_code == 2
    assert told.stderr.count("configuration error:") == 2


def test_reconcile_says_when_no_gateway_answers(gateway: Gateway) -> None:
    told = gateway("reconcile", HTTP_PORT=str(free_port()))
    assert told.exit_code == 1
    assert "gateway run" in told.stderr


def test_doctor_says_what_to_do_about_what_is_missing(gateway: Gateway) -> None:
    told = gateway("doctor", DATABASE_URL=nobody())
    assert told.exit_code == 1
    assert "start Postgres" in told.output


def test_migrate_brings_an_empty_database_to_the_newest_schema(gateway: Gateway, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("drop schema read cascade")
        connection.execute("drop schema ledger cascade")
        connection.execute("drop table public.alembic_version")
    assert gateway("migrate", DATABASE_OWNER_URL=database).exit_code == 0
    assert gateway("verify", DATABASE_URL=database).exit_code == 0


def test_migrate_without_a_database_ends_with_status_3_and_advice(gateway: Gateway) -> None:
    told = gateway("migrate", DATABASE_OWNER_URL=nobody())
    assert told.exit_code == 3
    assert "Is Postgres up" in told.stderr


def test_migrate_with_a_login_that_owns_nothing_says_which_one_it_needs(
    gateway: Gateway, database: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("drop table public.alembic_version")
        connection.execute("drop role if exists passer_by")
        connection.execute("create role passer_by login")
        connection.execute(f"grant connect on database {connection.info.dbname} to passer_by")
    try:
        told = gateway("migrate", DATABASE_OWNER_URL=database.replace("gateway@", "passer_by@", 1))
    finally:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(f"revoke connect on database {connection.info.dbname} from passer_by")
            connection.execute("drop role passer_by")
    assert told.exit_code == 1
    assert "DATABASE_OWNER_URL has to name" in told.stderr


@pytest.mark.parametrize("command", READERS)
def test_a_database_without_a_ledger_is_told_from_one_that_is_away(
    gateway: Gateway, database: str, command: str
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("drop schema read cascade")
        connection.execute("drop schema ledger cascade")
    told = gateway(command, *(["first"] if command == "replay" else []), DATABASE_URL=database)
    assert told.exit_code == 3
    assert "there is no ledger in this database" in told.stderr
