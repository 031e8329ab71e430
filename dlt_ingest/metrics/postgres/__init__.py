"""The export of metrics to Postgres: any model with a key, in one transaction, each key once.

`export_model`, with the query of `statement_for`, and `retry_dead_letters` are all that a caller needs, with
`ExportSpec` for the model and `PostgresSettings` for the server. Nothing here knows dbt; its hooks are in
`dbt_postgres_export`.
"""

from dlt_ingest.metrics.postgres.dead_letters import ReplayResult
from dlt_ingest.metrics.postgres.delivery import ExportResult
from dlt_ingest.metrics.postgres.errors import (
    ExportDeclarationError,
    ExportError,
    ExportSettingsError,
    SchemaDriftError,
    ServerRefusedError,
    ServerUnavailableError,
)
from dlt_ingest.metrics.postgres.settings import PostgresSettings
from dlt_ingest.metrics.postgres.sink import export_model, retry_dead_letters, statement_for
from dlt_ingest.metrics.postgres.spec import ExportSpec

__all__ = [
    "ExportDeclarationError",
    "ExportError",
    "ExportResult",
    "ExportSettingsError",
    "ExportSpec",
    "PostgresSettings",
    "ReplayResult",
    "SchemaDriftError",
    "ServerRefusedError",
    "ServerUnavailableError",
    "export_model",
    "retry_dead_letters",
    "statement_for",
]
