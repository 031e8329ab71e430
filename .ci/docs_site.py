"""What the docs site adds to the pages of docs/: the pages at the top of the project, and links that lead out of docs/.

The pages are written for a reader of the repository. A link to a file that is not a page of the site, such as a test, keeps
its text and loses its target, so that no link of the site is broken. A link to a file that does not exist stays as it
is, so that `mkdocs build --strict` refuses it.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_PROJECT = Path(__file__).resolve().parents[1]
# Page of the project: its name on the site.
_TOP_PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#:]+)(#[^)]*)?\)")
_IMAGE = re.compile(r"!\[([^\]]*)\]\(docs/([^)]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages at the top of the project."""
    for page, name in _TOP_PAGES.items():
        text = (_PROJECT / page).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Point the links of a page at the pages of the site."""
    here = page.file.src_uri
    source = next((top for top, name in _TOP_PAGES.items() if name == here), f"docs/{here}")
    folder = posixpath.dirname(source)

    def link(match: re.Match[str]) -> str:
        text, target, anchor = match.group(1), match.group(2), match.group(3) or ""
        path = posixpath.normpath(posixpath.join(folder, target))
        if path in _TOP_PAGES:
            on_site = _TOP_PAGES[path]
        elif path.startswith("docs/"):
            on_site = path.removeprefix("docs/")
        else:
            return text if (_PROJECT / path).exists() else match.group()
        return f"[{text}]({posixpath.relpath(on_site, posixpath.dirname(here) or '.')}{anchor})"

    return _LINK.sub(link, _IMAGE.sub(r"![\1](\2)", markdown))
