"""Drawing dashboards to one self-contained web page.

The page carries the rows of every dataset and aggregates them in the browser, so that its filters work without a server.
Nothing in it names an outside address: the plotting library (plotly.js, MIT) comes out of the plotly package.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timezone
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

import pyarrow as pa

from foundation.whole_files import write_whole
from local_workspace.dashboards.definition import Dashboard
from local_workspace.errors import ConfigurationError

# In the order in which they build on each other.
SCRIPTS = ("rows", "charts", "actions", "widgets")
_PAGE = resources.files("local_workspace.dashboards") / "page"


def render(
    dashboards: Sequence[Dashboard],
    query: Callable[[str], pa.Table],
    *,
    source: str,
    now: datetime | None = None,
) -> str:
    """Run the datasets' SQL and return the page.

    Args:
        dashboards: What to show, one tab each.
        query: Runs one SQL statement in the catalog and schema of the marts and returns its rows.
        source: Where the data is from, shown to the reader, for example `ecommerce_local`.
        now: Time shown as the time of the data, UTC; the present when None.

    Raises:
        ConfigurationError: If a widget names a column that its dataset has not.

    Returns:
        HTML text of about 5 MB plus the data, most of it the plotting library.
    """
    from plotly.offline import get_plotlyjs  # noqa: PLC0415  # 1 s of imports; only this function needs it

    content = {
        "source": source,
        "drawn_at": (now or datetime.now(timezone.utc)).strftime("%Y-%m-%d %H:%M UTC"),
        "dashboards": [_content(dashboard, query) for dashboard in dashboards],
    }
    # One scope for all of them, and none of its names in the page's own.
    plotly, script = get_plotlyjs(), f'"use strict";\n(function () {{\n{page_code()}}})();\n'
    pieces = {
        "STYLE": (_PAGE / "page.css").read_text(encoding="utf-8"),
        "HASHES": f"{_source_hash(plotly)} {_source_hash(script)}",
        "PLOTLY": plotly,
        "CONTENT": _script_safe(json.dumps(content, ensure_ascii=False, separators=(",", ":"))),
        "SCRIPT": script,
    }
    template = (_PAGE / "page.html").read_text(encoding="utf-8")
    # In one pass: what is put in is never looked at again, whatever a product is called.
    return re.sub(r"/\*([A-Z]+)\*/", lambda place: pieces[place[1]], template)


def page_code() -> str:
    """Return the page's JavaScript: its files in one scope, in the order in which they build on each other."""
    return "\n".join((_PAGE / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)


def write(page: str, folder: Path) -> Path:
    """Write the page to `index.html` in a folder, whole or not at all, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "index.html"
    write_whole(path, page)
    return path


def _content(dashboard: Dashboard, query: Callable[[str], pa.Table]) -> dict[str, Any]:
    tables = {name: query(sql) for name, sql in dashboard.datasets.items()}
    _require_columns(dashboard, {name: table.column_names for name, table in tables.items()})
    return {
        "name": dashboard.name,
        "title": dashboard.name.replace("_", " ").capitalize(),
        "pages": [asdict(page) for page in dashboard.pages],
        "datasets": {
            name: {
                "columns": table.column_names,
                "rows": [[_plain(v) for v in row.values()] for row in table.to_pylist()],
            }
            for name, table in tables.items()
        },
    }


def _require_columns(dashboard: Dashboard, columns: Mapping[str, Sequence[str]]) -> None:
    for page in dashboard.pages:
        for widget in page.widgets:
            needed = [(name, column) for name, column in widget.filters.items()]
            if widget.dataset is not None:
                needed += [(widget.dataset, c) for field in widget.fields.values() for c in field.columns]
            for name, column in needed:
                if column not in columns[name]:
                    raise ConfigurationError(
                        f"Dashboard {dashboard.name}, widget {widget.name}: dataset {name} has no such column",
                        got=column,
                        allowed=", ".join(columns[name]),
                        consequence="The dashboard was not drawn",
                        next_step="Fix the widget or the SQL of its dataset in the dashboard's file",
                    )


def _plain(value: object) -> object:
    """Return a value as the page's JSON carries it.

    Decimals become JSON numbers: the browser adds them as doubles, exact to the cent below 10^13.
    """
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None  # JSON has no other
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    return value


def _script_safe(text: str) -> str:
    """JSON that cannot end the script element it is in, whatever a customer wrote into a field."""
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _source_hash(script: str) -> str:
    """Return a script as the page's content security policy names it, so that no other script runs (W3C, CSP Level 3)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
