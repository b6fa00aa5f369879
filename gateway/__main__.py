"""The command line. Each command imports what it needs when it is called, so that help is there at once."""

# ruff: noqa: PLC0415, FBT002

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from pathlib import Path
from typing import Annotated, Final, Literal, NoReturn

import typer

_HELP: Final = """An execution gateway whose only memory is a ledger of events.

See it work:  `gateway demo`

Try it by hand:  `gateway run`, and in another shell  `gateway follow`

Exit statuses: 0 done, 1 a check failed, 2 the configuration cannot be used, 3 the ledger cannot be reached,
130 interrupted.
"""

app = typer.Typer(
    help=_HELP, no_args_is_help=True, rich_markup_mode="markdown", pretty_exceptions_enable=False
)

Source = Literal["recorded", "synthetic"]
SourceOption = Annotated[Source, typer.Option(help="Prices: real daily bars, or invented ones.")]
SeedOption = Annotated[int, typer.Option(help="Makes invented chances repeatable.")]
SpeedOption = Annotated[int, typer.Option(min=1, help="Seconds of trading in a second of the clock.")]
AttachedOption = Annotated[bool, typer.Option("--attached", hidden=True)]
"""End when standard input ends: for whoever starts us and must not leave us behind."""


def main() -> None:
    """The entry point of `gateway`."""
    signal.signal(signal.SIGTERM, _interrupt)
    app()


def _interrupt(number: int, frame: object) -> NoReturn:
    """Being told to end is like Ctrl-C: whatever was started is stopped first."""
    raise KeyboardInterrupt


@app.command(rich_help_panel="See it work")
def demo(source: SourceOption = "recorded", seed: SeedOption = 0) -> None:
    """Trade a day in under a minute, with everything going wrong that can; compare the books at the end.

    Starts its own Postgres, Valkey, exchange and gateway in a temporary folder, and removes them again.
    Ends with status 1 if anything differs from what the exchange says.

    Examples:

    - `gateway demo`
    - `gateway demo --source synthetic --seed 7`
    """
    from gateway.cli.endings import explained
    from gateway.demo.script import perform

    with explained() as console:
        perform(console, source=source, seed=seed)


@app.command(rich_help_panel="See it work")
def run(source: SourceOption = "recorded", speed: SpeedOption = 60) -> None:
    """Start a desk and keep it up until Ctrl-C: prints a token, a working curl and the address of the docs.

    Postgres, Redis and the broker are started here unless the environment names them.

    Examples:

    - `gateway run`
    - `HTTP_PORT=8003 gateway run --speed 600`
    - `DATABASE_URL=postgresql://… gateway run` takes that database and starts the rest
    """
    from gateway.cli.endings import explained
    from gateway.cli.run import run as keep_running

    with explained() as console:
        keep_running(console, os.environ, source=source, speed=speed)


@app.command(rich_help_panel="Run it")
def serve(attached: AttachedOption = False) -> None:
    """Serve the API, configured by environment variables alone (docs/settings.md).

    Examples:

    - `DATABASE_URL=postgresql://… REDIS_URL=redis://… gateway serve`
    - `gateway doctor && gateway serve`
    """
    from gateway.cli.attached import end_with_parent
    from gateway.cli.endings import explained
    from gateway.cli.serve import serve as serve_gateway
    from gateway.settings import load_settings

    if attached:
        end_with_parent()
    with explained():
        serve_gateway(load_settings(os.environ))


@app.command(rich_help_panel="Run it")
def migrate() -> None:
    """Bring the database to the schema of this build, with the login in DATABASE_OWNER_URL.

    Safe to repeat, and from several processes at once. `gateway run` and `gateway demo` do it themselves.

    Examples:

    - `DATABASE_OWNER_URL=postgresql://… gateway migrate && gateway serve`
    """
    from gateway.cli.endings import explained
    from gateway.cli.serve import migrate as upgrade
    from gateway.cli.surroundings import surroundings

    with explained() as console:
        upgrade(surroundings(), console)


@app.command(rich_help_panel="Run it")
def paper(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 0,
    directory: Annotated[Path, typer.Option(help="Where its journal is kept.")] = Path(".gateway/exchange"),
    source: Annotated[
        Literal["recorded", "synthetic", "manual"],
        typer.Option(help="Prices: real daily bars, invented ones, or set by hand through /_ctl."),
    ] = "recorded",
    seed: SeedOption = 0,
    speed: SpeedOption = 60,
    attached: AttachedOption = False,
) -> None:
    """Run the paper exchange alone: a local server that speaks Alpaca's API, for any client of Alpaca.

    Examples:

    - `gateway paper --port 9000`
    - `ALPACA_BASE_URL=http://127.0.0.1:9000 DRY_RUN=false … gateway serve`
    """
    from gateway.cli.attached import end_with_parent
    from gateway.paper.app import serve as serve_exchange

    if attached:
        end_with_parent()
    serve_exchange(host, port, directory, seed=seed, speed=speed, source=source)


@app.command(rich_help_panel="Read the ledger")
def follow(
    after: Annotated[int | None, typer.Option(min=0, help="Start after this position.")] = None,
    topic: Annotated[str | None, typer.Option(help="Exact, or a prefix that ends in a dot.")] = None,
    stream: Annotated[str | None, typer.Option(help="One stream only.")] = None,
    most: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="Stop after so many.")] = None,
) -> None:
    """Print events as they are recorded, the last ten first.

    Examples:

    - `gateway follow`
    - `gateway follow --after 0 --topic order.`
    - `gateway follow --stream kill-switch-global`
    """
    from gateway.cli.endings import explained
    from gateway.cli.follow import follow as follow_ledger
    from gateway.cli.surroundings import surroundings

    with explained() as console:
        asyncio.run(
            follow_ledger(surroundings(), console, after=after, most=most, stream=stream, topic=topic)
        )


@app.command(rich_help_panel="Read the ledger")
def replay(
    name: Annotated[str, typer.Argument(help="An order's id, or a stream such as position-AAPL.")],
    to: Annotated[int | None, typer.Option(min=1, help="Stop at this position.")] = None,
) -> None:
    """Tell one stream from its first event, and show the state its events add up to.

    Examples:

    - `gateway replay 1b5445b3d1a61a15f64411be`
    - `gateway replay position-AAPL --to 250` as it was known then
    """
    from gateway.cli.endings import explained
    from gateway.cli.replay import replay as replay_stream
    from gateway.cli.surroundings import surroundings

    with explained() as console:
        asyncio.run(replay_stream(surroundings(), console, name, upto=to))


@app.command(rich_help_panel="Prove it")
def chaos(
    seed: Annotated[int | None, typer.Option(help="Repeats a run; default: a new one, printed.")] = None,
    minutes: Annotated[float, typer.Option(min=0.1, help="How long things go wrong.")] = 2.0,
    keep: Annotated[bool, typer.Option("--keep", help="Leave logs and data where they are.")] = False,
) -> None:
    """Trade while everything goes wrong, then hold every book against the exchange's, to the last digit.

    Starts its own Postgres, Valkey, exchange and gateway in a temporary folder. Three strategies and an
    operator trade; the exchange has every fault it knows, every process is killed with -9 or put to sleep.
    Then the faults stop, the desk heals within 90 seconds, and fifteen invariants are checked. The same seed
    asks for the same and breaks the same, at the same second. Ends with status 1 and a line to repeat it when
    anything differs that no open break names.

    Examples:

    - `gateway chaos --minutes 0.5`
    - `gateway chaos --seed 17 --minutes 2`
    - `gateway chaos --seed 17 --keep` leaves the logs of every process to read
    """
    from gateway.chaos.run import perform
    from gateway.cli.endings import explained

    with explained() as console:
        chosen = secrets.randbelow(1_000_000) if seed is None else seed
        perform(console, seed=chosen, minutes=minutes, keep=keep)


@app.command(rich_help_panel="Prove it")
def verify() -> None:
    """Check the whole ledger and every read table against it; status 1 when something is wrong.

    Examples:

    - `gateway verify`
    """
    from gateway.cli.endings import explained
    from gateway.cli.surroundings import surroundings
    from gateway.cli.verify import verify as verify_ledger

    with explained() as console:
        asyncio.run(verify_ledger(surroundings(), console))


@app.command(rich_help_panel="Prove it")
def rebuild(
    names: Annotated[list[str] | None, typer.Argument(help="Read tables; none means all of them.")] = None,
) -> None:
    """Rebuild read tables from the first event, while the old ones go on answering.

    Each new table is proved equal to a fresh fold of the ledger before it is swapped in.

    Examples:

    - `gateway rebuild positions`
    - `gateway rebuild`
    """
    from gateway.cli.endings import explained
    from gateway.cli.rebuild import rebuild as rebuild_tables
    from gateway.cli.surroundings import surroundings

    with explained() as console:
        asyncio.run(rebuild_tables(surroundings(), console, names or []))


@app.command(rich_help_panel="Prove it")
def reconcile(
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Show what a pass would record; record nothing.")
    ] = False,
    url: Annotated[str | None, typer.Option(help="The gateway; default: where HTTP_PORT says.")] = None,
    token: Annotated[
        str | None, typer.Option(envvar="GATEWAY_TOKEN", help="An admin's; default: minted here.")
    ] = None,
) -> None:
    """Let a running gateway compare itself with the broker now; status 1 when they do not agree.

    Examples:

    - `gateway reconcile`
    - `gateway reconcile --shadow`
    - `GATEWAY_TOKEN=… gateway reconcile --url https://gateway.example`
    """
    from gateway.cli.endings import explained
    from gateway.cli.reconcile import reconcile as reconcile_now
    from gateway.cli.surroundings import surroundings

    with explained() as console:
        reconcile_now(surroundings(), console, url=url, token=token, shadow=shadow)


@app.command(rich_help_panel="Run it")
def inbox(
    action: Annotated[Literal["list", "redrive"], typer.Argument(help="Look, or have them recorded.")],
    ids: Annotated[list[int] | None, typer.Argument(help="Numbers to redrive; none means all.")] = None,
) -> None:
    """The broker's messages nobody could record: look at them, or let the running gateway try again.

    Examples:

    - `gateway inbox list`
    - `gateway inbox redrive 17 18`
    """
    from gateway.cli.endings import explained
    from gateway.cli.inbox import redrive, show
    from gateway.cli.surroundings import surroundings

    with explained() as console:
        found = surroundings()
        asyncio.run(show(found, console) if action == "list" else redrive(found, console, ids or []))


@app.command(rich_help_panel="Run it")
def token(
    sub: Annotated[str, typer.Option(help="Who it is for.")],
    role: Annotated[str, typer.Option(help="viewer, researcher, operator, admin or auditor.")] = "viewer",
    strategies: Annotated[str, typer.Option(help="Strategy ids with commas between, or *.")] = "",
    ttl: Annotated[int | None, typer.Option(min=1, max=86_400, help="Life in seconds.")] = None,
) -> None:
    """Mint a bearer token with the key of this installation, and print it.

    Examples:

    - `gateway token --sub alice --role operator --strategies alpha_baseline`
    - `TOKEN=$(gateway token --sub ada --role admin --strategies '*' --ttl 3600)`
    """
    from gateway.cli.endings import explained
    from gateway.cli.surroundings import surroundings
    from gateway.cli.tokens import mint_token

    with explained():
        named = [name.strip() for name in strategies.split(",") if name.strip()]
        typer.echo(mint_token(surroundings(), sub=sub, role=role, strategies=named, seconds=ttl))


@app.command(rich_help_panel="Run it")
def issuer(
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 0,
) -> None:
    """Stand in for the issuer of second factors, in dev and test; prints the variables that name it.

    `gateway run` starts one of its own. Flatten-all needs a token of it: `gateway id-token`.

    Examples:

    - `gateway issuer --port 9100`
    """
    from gateway.cli.endings import explained
    from gateway.cli.issuer import issue
    from gateway.settings import load_settings

    with explained() as console:
        issue(load_settings(os.environ), console, port=port)


@app.command(rich_help_panel="Run it")
def id_token(
    sub: Annotated[str, typer.Option(help="Who it is for: the subject of the bearer token.")],
) -> None:
    """Mint an id token of the local issuer, as after a one-time password, and print it. Fresh for a minute.

    Examples:

    - `ID_TOKEN=$(gateway id-token --sub alice)`
    """
    from gateway.cli.endings import explained
    from gateway.cli.issuer import mint_id_token
    from gateway.cli.surroundings import surroundings

    with explained():
        typer.echo(mint_id_token(surroundings(), sub=sub))


@app.command(rich_help_panel="Run it")
def doctor() -> None:
    """Look at database, Redis and broker, change nothing, and say what to do where something is wrong.

    Examples:

    - `gateway doctor`
    """
    from gateway.cli.doctor import doctor as examine
    from gateway.cli.endings import explained
    from gateway.cli.surroundings import surroundings

    with explained() as console:
        examine(surroundings(), console)


if __name__ == "__main__":
    main()
