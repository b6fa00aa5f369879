"""The kill switch: what is engaged stops every new intent of its scope."""

from __future__ import annotations

from typing import Final

from gateway.chaos.evidence import Event, Evidence

_SWITCH: Final = "kill-switch-"
_INTENTS: Final = ("order.submitted", "order.resubmitted")
_SUBMISSIONS: Final = (("POST", "orders"), ("POST", "manual/orders"))


def never_bypassed(evidence: Evidence) -> list[str]:
    """INV-13: while a switch is engaged no intent of its scope is recorded, and none is taken from a caller.

    The ways out are exempt: close, flatten and adjust.
    """
    engaged: dict[str, int] = {}
    tickets: dict[str, Event] = {}
    asked_for, violations = _asked_for(evidence), []
    for event in evidence.events:
        if event.stream.startswith(_SWITCH):
            _turn(engaged, event)
        elif event.topic in _INTENTS:
            first = tickets.setdefault(event.order, event)
            scopes = _scopes(first) & engaged.keys()
            if scopes and event.order in asked_for:
                violations.append(
                    f"{event.order} was intended at {event.position}, while {scopes} was engaged"
                )
    return violations + _taken_meanwhile(evidence)


def _turn(engaged: dict[str, int], event: Event) -> None:
    scope = event.stream.removeprefix(_SWITCH)
    if event.topic == "kill_switch.engaged":
        engaged.setdefault(scope, event.position)
    elif event.topic == "kill_switch.disengaged":
        engaged.pop(scope, None)


def _scopes(intent: Event) -> set[str]:
    ticket = intent.data.get("ticket", {})
    return {"global", f"symbol:{ticket.get('symbol')}", f"strategy:{ticket.get('strategy_id')}"}


def _asked_for(evidence: Evidence) -> set[str]:
    """The orders callers submitted; what else is intended comes from a way out."""
    submitted = [call for call in evidence.calls if (call.method, call.path) in _SUBMISSIONS]
    given = {str(call.body["client_order_id"]) for call in submitted if "client_order_id" in call.body}
    return given | {str(call.answer["client_order_id"]) for call in submitted if call.succeeded}


def _taken_meanwhile(evidence: Evidence) -> list[str]:
    """Calls begun after `engage` was answered and over before anybody asked to disengage."""
    violations = []
    engagements = [c for c in evidence.calls if c.path == "kill-switch/engage" and c.succeeded]
    releases = [c for c in evidence.calls if c.path == "kill-switch/disengage"]
    for engage in engagements:
        if (engage.body or {}).get("scope", "global") != "global":
            continue
        until = min((c.began for c in releases if c.began > engage.ended), default=float("inf"))
        for call in evidence.calls:
            inside = engage.ended < call.began and call.ended < until
            if inside and (call.method, call.path) in _SUBMISSIONS and call.succeeded:
                violations.append(f"{call.answer['client_order_id']} was taken while the switch was engaged")
    return violations
