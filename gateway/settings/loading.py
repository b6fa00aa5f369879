"""From text to settings: everything wrong is said at once, and no secret is ever shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.settings.checks import broken_checks
from gateway.settings.table import allowed, is_secret
from gateway.settings.variables import Settings

_SERVICE_SECRET: Final = "INTERNAL_TOKEN_SECRET_"  # noqa: S105  (the name of a variable)
_FILE: Final = "_FILE"


class ConfigurationErrors(Exception):
    """The configuration cannot be used; its text has one line for each problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(f"configuration error: {problem}" for problem in problems))
        self.problems = problems


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings from the variables of a process; raises ConfigurationErrors with every problem."""
    texts, problems = _read(environ)
    unread: set[str] = set()
    try:
        settings = Settings.model_validate(texts)
    except ValidationError as error:
        wrong = [
            each for each in error.errors(include_url=False) if each["type"] != "default_factory_not_called"
        ]
        unread = {str(each["loc"][0]) for each in error.errors(include_url=False)}
        problems += [_problem(each, texts) for each in wrong]
        settings = Settings.model_validate({name: text for name, text in texts.items() if name not in unread})
    problems += broken_checks(settings, unread)
    if problems:
        raise ConfigurationErrors(problems)
    return settings


def _read(environ: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Collect the variables that are set, secrets also from the files their `*_FILE` forms name."""
    given = {name: text.strip() for name, text in environ.items() if text.strip()}
    problems = []
    for name in [name for name in given if name.endswith(_FILE) and _may_be_a_file(name.removesuffix(_FILE))]:
        plain = name.removesuffix(_FILE)
        if plain in given:
            problems.append(f"{plain} and {name} are both set (use one)")
            continue
        try:
            given[plain] = Path(given[name]).read_text().strip()
        except (OSError, UnicodeDecodeError):
            problems.append(f"{name}={_quoted(given[name])} is not a readable file")
    texts: dict[str, Any] = {
        field: given[field.upper()] for field in Settings.model_fields if given.get(field.upper())
    }
    texts.setdefault("pod_name", given.get("HOSTNAME", "unknown"))
    texts["internal_token_secrets"] = {
        name.removeprefix(_SERVICE_SECRET): text
        for name, text in given.items()
        if name.startswith(_SERVICE_SECRET) and not name.endswith(_FILE)
    }
    return texts, problems


def _may_be_a_file(name: str) -> bool:
    field = Settings.model_fields.get(name.lower())
    return name.startswith(_SERVICE_SECRET) or (field is not None and is_secret(field))


def _problem(error: ErrorDetails, texts: Mapping[str, Any]) -> str:
    field = str(error["loc"][0])
    shape = Settings.model_fields[field]
    name = field.upper()
    shown = name if is_secret(shape) else f"{name}={_quoted(texts[field])}"
    if error["type"] == "value_error":
        return f"{shown} {error['ctx']['error']}"
    return f"{shown} is not allowed (use {allowed(shape)})"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
