"""Documentation that cannot go stale unseen: what its pages name and link is there.

Its commands are run by tests/integration/docs.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orders.bundle_check import Bundle

PROJECT_ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*PROJECT_ROOT.glob("docs/**/*.md"), *PROJECT_ROOT.glob("*.md")])
_FILE = re.compile(r"`([\w.][\w./-]*\.(?:py|yml|yaml|json|toml|md|sql|csv|lock|ipynb))`")
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
# Made when the project runs, so not in a fresh clone.
_MADE = re.compile(r"^(target|\.venv|\.workspace|logs|dist)/")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT_ROOT).as_posix())
def test_named_files_and_links_exist(page: Path) -> None:
    """Guards that a page points at what is there."""
    text = page.read_text(encoding="utf-8")
    for target in _LINK.findall(text):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
    for name in _FILE.findall(text):
        known = "/" in name or (PROJECT_ROOT / name).exists()
        if known and not _MADE.match(name):
            assert (PROJECT_ROOT / name).exists() or (page.parent / name).exists(), (
                f"{page.name} names {name}"
            )


# What pages count in words, where a new one would leave a wrong number behind.
_NUMBERS = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
_COUNTED = re.compile(r"\b(\w+) (?:SQL )?(alerts|notebooks|dashboards|schemas)\b", re.IGNORECASE)


def test_counts_of_the_pages_are_right() -> None:
    """Guards numbers in prose: a page once spoke of seven alerts, and there were eight."""
    bundle = Bundle.load(PROJECT_ROOT, "prod")
    right = {
        "alerts": len(bundle.resources("alerts")),
        "dashboards": len(bundle.resources("dashboards")),
        "schemas": len(bundle.resources("schemas")),
        "notebooks": len(list((PROJECT_ROOT / "notebooks").glob("*.ipynb"))),
    }
    pages = [*PAGES, PROJECT_ROOT / "dashboards" / "grafana" / "README.md"]
    wrong = [
        f"{page.name} says {found[0]}, there are {right[found[2].lower()]}"
        for page in pages
        for found in _COUNTED.finditer(page.read_text(encoding="utf-8"))
        if (number := _number(found[1])) is not None and number != right[found[2].lower()]
    ]
    assert wrong == []
    assert _COUNTED.search("seven SQL alerts")


def _number(word: str) -> int | None:
    if word.isdecimal():
        return int(word)
    return _NUMBERS.index(word.lower()) if word.lower() in _NUMBERS[1:] else None


def test_each_alert_has_a_page() -> None:
    """Guards the operator at night: every alert has its page, and every page says what it means and what to do."""
    folder = PROJECT_ROOT / "docs" / "operations" / "alerts"
    pages = {
        page.stem: page.read_text(encoding="utf-8") for page in folder.glob("*.md") if page.stem != "README"
    }
    alerts = {name.replace("_", "-") for name in Bundle.load(PROJECT_ROOT, "prod").resources("alerts")}
    assert set(pages) == alerts
    for name, text in pages.items():
        for section in ("**Means**", "**Look**", "**Decide**", "**Quiet again**"):
            assert section in text, f"{name} lacks {section}"
        assert f"({name}.md)" in (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", ["decisions", "operations"])
def test_index_lists_every_page(folder: str) -> None:
    """Guards that no page is hidden."""
    index = (PROJECT_ROOT / "docs" / folder / "README.md").read_text(encoding="utf-8")
    missing = [
        page.name for page in (PROJECT_ROOT / "docs" / folder).glob("*.md") if f"({page.name})" not in index
    ]
    assert missing in (["README.md"], [])
