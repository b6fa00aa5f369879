"""The doctor looks at everything the configuration names."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.doctor import diagnose
from gateway.settings import load_settings

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


async def test_a_dry_run_on_healthy_servers_has_nothing_to_complain_of(database: str, redis_url: str) -> None:
    findings = await diagnose(load_settings({"DATABASE_URL": database, "REDIS_URL": redis_url}), NOW)
    assert {finding.subject for finding in findings} >= {"database", "redis", "broker"}
    assert [finding for finding in findings if not finding.ok] == []


async def test_everything_that_is_wrong_is_found_at_once_and_each_has_an_advice() -> None:
    settings = load_settings(
        {
            "DATABASE_URL": "postgresql://a@127.0.0.1:1/none",
            "REDIS_URL": "redis://127.0.0.1:1",
            "ALPACA_BASE_URL": "http://127.0.0.1:1",
            "ALPACA_API_KEY_ID": "key",
            "ALPACA_API_SECRET_KEY": "secret",
        }
    )
    findings = await diagnose(settings, NOW)
    assert [(finding.subject, finding.ok) for finding in findings] == [
        ("database", False),
        ("database", False),
        ("redis", False),
        ("broker", False),
    ]
    assert all(finding.what_to_do for finding in findings)
