"""A dbt plugin: the TLS connections to the SQL warehouse are kept from one dbt node to the next.

dbt-databricks opens a session for each node and closes it afterwards (`connections.py`, `release`). That stays: a session
has the node's query tags, its temporary views and its `USE`. What goes is what databricks-sql-connector does around each
session and nobody asked for: it reads the certificates of the whole system and shakes hands again.

Found by dbt by its name, as `dbt_postgres_export` is, and as small as that for the same reason.
"""

from __future__ import annotations

from dbt.plugins.manager import dbtPlugin


class KeptConnectionsPlugin(dbtPlugin):
    """Puts the transport with kept connections in place of the connector's own, where dbt-databricks is loaded."""

    def initialize(self) -> None:
        """Run by dbt after the adapter is loaded and before it connects."""
        from dbt.adapters.factory import FACTORY  # noqa: PLC0415  # not at the import of every dbt_* module

        if "databricks" in FACTORY.plugins:
            from dbt_kept_connections.transport import keep_connections  # noqa: PLC0415  # as above

            keep_connections()


plugins = [KeptConnectionsPlugin]
