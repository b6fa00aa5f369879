"""Is this the account we mean, and will it trade?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import httpx2

from gateway.adapters.examine.finding import Finding, found

_PAPER_PREFIX: Final = "PA"
_SKEW_SECONDS: Final = 1.0
_BLOCKS: Final = ("trading_blocked", "account_blocked", "trade_suspended_by_user")
_REFUSED: Final = frozenset({401, 403})


async def examine_broker(url: str, *, key: str, secret: str, paper: bool, now: datetime) -> list[Finding]:
    """Ask the broker for its clock and our account; it is asked once and nothing is changed."""
    headers = {"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": secret}
    try:
        async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=5.0, trust_env=False) as client:
            clock, account = await client.get("/v2/clock"), await client.get("/v2/account")
    except httpx2.HTTPError as error:
        message = f"{url} does not answer: {error}"
        return [Finding(subject="broker", ok=False, message=message, what_to_do="correct ALPACA_BASE_URL")]
    for answer in (clock, account):
        if answer.status_code in _REFUSED:
            message = f"{url} refuses the keys ({answer.status_code})"
            advice = "correct the ALPACA_API_… keys; those of paper and live accounts differ"
            return [Finding(subject="broker", ok=False, message=message, what_to_do=advice)]
        if answer.status_code != httpx2.codes.OK:
            message = f"{answer.url.path} answers {answer.status_code}"
            return [Finding(subject="broker", ok=False, message=message, what_to_do="try again later")]
    return [
        Finding(subject="broker", ok=True, message=f"{url} answers"),
        _clock(clock.json(), now),
        _mode(account.json(), paper=paper),
        _trading(account.json()),
    ]


def _clock(clock: Mapping[str, Any], now: datetime) -> Finding:
    skew = abs((datetime.fromisoformat(clock["timestamp"]).astimezone(UTC) - now).total_seconds())
    return found(
        "clock",
        ok=skew <= _SKEW_SECONDS,
        good=f"our clock and the broker's differ by {skew:.3f} s",
        bad=f"our clock and the broker's differ by {skew:.1f} s",
        what_to_do="synchronise this machine's clock",
    )


def _mode(account: Mapping[str, Any], *, paper: bool) -> Finding:
    meant, is_paper = ("paper" if paper else "live"), str(account["account_number"]).startswith(_PAPER_PREFIX)
    return found(
        "account",
        ok=is_paper == paper,
        good=f"it is a {meant} account, as configured",
        bad=f"it is a {'paper' if is_paper else 'live'} account, configured is {meant}",
        what_to_do="correct ALPACA_PAPER, or use the keys of the other account",
    )


def _trading(account: Mapping[str, Any]) -> Finding:
    blocks = [name for name in _BLOCKS if account.get(name)]
    status = account["status"]
    return found(
        "trading",
        ok=status == "ACTIVE" and not blocks,
        good="the account is active",
        bad=f"the account is {status}{''.join(f', {name}' for name in blocks)}",
        what_to_do="settle it with the broker; orders will be rejected until then",
    )
