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
