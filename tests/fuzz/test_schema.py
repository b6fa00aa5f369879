"""What the document promises, the service keeps: requests made from it, right ones and wrong ones."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import hypothesis
import schemathesis
from schemathesis import GenerationMode

from tests.fuzz.promises import DOCUMENT, kept
from tests.kit.serving import Served


def dated_now(case: schemathesis.Case[Any]) -> schemathesis.Case[Any]:
    """What is asked by hand is asked now: of another day, only its age would be seen."""
    body, meta = case.body, case.meta
    is_right = meta is None or meta.generation.mode is GenerationMode.POSITIVE
    if is_right and isinstance(body, dict) and isinstance(body.get("requested_at"), str):
        case.body = body | {"requested_at": datetime.now(UTC).isoformat()}
    return case


@DOCUMENT.parametrize()
@hypothesis.settings(deadline=None)
def test_the_service_keeps_what_the_document_promises(case: schemathesis.Case[Any], served: Served) -> None:
    kept(dated_now(case), served)
