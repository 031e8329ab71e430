"""A dbt plugin that gives the loaded adapter one more method, `adapter.export_to_postgres`.

dbt imports every top-level module named `dbt_*` and instantiates the classes in its `plugins` (dbt-core,
`dbt/plugins/manager.py`, which calls this interface experimental; hence dbt-core is pinned to 1.11). An error
in here would break every dbt command of the environment, so everything that can fail is imported only when a
hook runs.

Jinja reaches adapter methods by name through `_available_`; while dbt parses, `_parse_replacements_` stands
in for them. Both belong to the adapter's class, which outlives one invocation of dbtRunner, so the plugin
looks before it adds.
"""

from __future__ import annotations

from typing import Any

from dbt.plugins.manager import dbtPlugin

METHOD = "export_to_postgres"


class PostgresExportPlugin(dbtPlugin):
    """Adds the method to the classes of all loaded adapters: databricks, and spark that it is built on."""

    def initialize(self) -> None:
        """Run by dbt after the adapter is loaded and before anything is parsed."""
        from dbt.adapters.factory import FACTORY  # noqa: PLC0415  # not at the import of every dbt_* module

        for plugin in list(FACTORY.plugins.values()):
            adapter: Any = plugin.adapter
            if METHOD in adapter._available_:
                continue
            setattr(adapter, METHOD, _export)
            adapter._available_ = adapter._available_ | {METHOD}
            adapter._parse_replacements_ = {**adapter._parse_replacements_, METHOD: _nothing_while_parsing}


def _export(adapter: Any, relation: Any, **options: Any) -> dict[str, str]:
    from dbt_postgres_export.hook import export_relation  # noqa: PLC0415  # psycopg2 only where used

    return export_relation(adapter, relation, **options)


def _nothing_while_parsing(*_: Any, **__: Any) -> dict[str, str]:
    return {"status": "skipped", "message": ""}


plugins = [PostgresExportPlugin]
