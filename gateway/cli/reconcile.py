"""`gateway reconcile`: one pass by a running gateway, asked for over HTTP."""

from __future__ import annotations

from typing import Any, Final

import httpx2
from rich.console import Console

from gateway.cli.endings import CommandFailed
from gateway.cli.tokens import mint_token
from gateway.settings import Settings

_PATIENCE_SECONDS: Final = 120
_TOKEN_SECONDS: Final = 300


def address_of(settings: Settings) -> str:
    """Where the gateway of these settings listens."""
    host = "127.0.0.1" if settings.http_host == "0.0.0.0" else settings.http_host  # noqa: S104 - compared only
    return f"http://{host}:{settings.http_port}"


def reconcile(
    settings: Settings, console: Console, *, url: str | None, token: str | None, shadow: bool
) -> None:
    """Raises CommandFailed when the pass fails, or leaves breaks open, or nobody answers."""
    url = url or address_of(settings)
    token = token or mint_token(
        settings, sub="gateway-cli", role="admin", strategies=["*"], seconds=_TOKEN_SECONDS
    )
    found = _run(url, token, shadow=shadow)
    words = f"{found['status']}: {found['message']}, {found['orphans_found']} orphans found"
    console.print(words, markup=False, soft_wrap=True)
    for report in found["shadow_reports"] or ():
        console.print(f"  would record: {report}", markup=False, soft_wrap=True)
    if found["status"] == "failed" or found["breaks_open"]:
        raise CommandFailed("ledger and broker do not agree; GET /api/v1/events?topic=break. shows where")


def _run(url: str, token: str, *, shadow: bool) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"}
    query = {"shadow": "true"} if shadow else {}
    try:
        answer = httpx2.post(
            f"{url}/api/v1/reconciliation/run", headers=headers, params=query, timeout=_PATIENCE_SECONDS
        )
    except httpx2.TransportError as error:
        raise CommandFailed(
            f"no gateway answers at {url} ({error}); start one with `gateway run`, or name it with --url"
        ) from error
    body: dict[str, Any] = answer.json()
    if answer.status_code == 401:
        raise CommandFailed(
            f"the gateway at {url} does not know the key of this installation: {body.get('detail')}\n"
            "Call this from the folder of its `gateway run`, or bring an admin's token with --token."
        )
    if answer.status_code >= 400:
        raise CommandFailed(f"the gateway answered {answer.status_code}: {body.get('detail')}")
    return body
