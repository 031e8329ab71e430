"""A dbt plugin that gives the loaded adapter two more methods, `export_to_postgres` and `export_at_run_end`.

dbt imports every top-level module named `dbt_*` and instantiates the classes in its `plugins` (dbt-core,
`dbt/plugins/manager.py`, which calls this interface experimental; hence dbt-core is pinned to 1.11). An error
in here would break every dbt command of the environment, so everything that can fail is imported only when a
hook runs.

Jinja reaches adapter methods by name through `_available_`; while dbt parses, `_parse_replacements_` stands
in for them. Both belong to the adapter's class, which outlives one invocation of dbtRunner, so the plugin
looks before it adds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dbt.plugins.manager import dbtPlugin


def _export(adapter: Any, relation: Any, **options: Any) -> dict[str, str]:
    from dbt_postgres_export.hook import export_relation  # noqa: PLC0415  # psycopg2 only where used

    return export_relation(adapter, relation, **options)


def _export_at_run_end(adapter: Any, table: Any, **options: Any) -> dict[str, str]:
    from dbt_postgres_export.hook import export_at_run_end  # noqa: PLC0415  # as above

    return export_at_run_end(adapter, table, **options)


def _nothing_while_parsing(*_: Any, **__: Any) -> dict[str, str]:
    return {"status": "skipped", "message": ""}


METHODS: dict[str, Callable[..., dict[str, str]]] = {
    "export_to_postgres": _export,
    "export_at_run_end": _export_at_run_end,
}


class PostgresExportPlugin(dbtPlugin):
    """Adds the methods to the classes of all loaded adapters: databricks, and spark that it is built on."""

    def initialize(self) -> None:
        """Run by dbt after the adapter is loaded and before anything is parsed."""
        from dbt.adapters.factory import FACTORY  # noqa: PLC0415  # not at the import of every dbt_* module

        for plugin in list(FACTORY.plugins.values()):
            adapter: Any = plugin.adapter
            if METHODS.keys() <= adapter._available_:
                continue
            for name, method in METHODS.items():
                setattr(adapter, name, method)
            adapter._available_ = adapter._available_ | METHODS.keys()
            adapter._parse_replacements_ = {
                **adapter._parse_replacements_,
                **dict.fromkeys(METHODS, _nothing_while_parsing),
            }


plugins = [PostgresExportPlugin]
