"""The documents point at things that are there."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#]+)")


def test_every_link_between_documents_leads_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    links = [(document, link) for document in documents for link in LINK.findall(document.read_text())]
    assert links
    assert [
        f"{document.relative_to(ROOT)} -> {link}"
        for document, link in links
        if not (document.parent / link).exists()
    ] == []


def test_the_generated_pages_say_what_the_code_says() -> None:
    generate = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    stale = [name for name, page in generate["PAGES"].items() if (ROOT / "docs" / name).read_text() != page()]
    assert stale == [], "run: python docs/generate.py"
