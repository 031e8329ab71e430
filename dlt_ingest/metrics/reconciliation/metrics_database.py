"""The metrics database as the last layer: its answers, or why it has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg2

from dlt_ingest.errors import InputError
from dlt_ingest.metrics.health.report import metrics_query
from dlt_ingest.metrics.postgres.connection import explained, scrubbed
from dlt_ingest.metrics.postgres.settings import PostgresSettings

_UNCOMPARED = "The last layer was not compared; nothing was changed"


def metrics_answers(postgres: PostgresSettings) -> Callable[[str], list[dict[str, Any]]]:
    """Return what asks the metrics database one SQL statement after the other.

    Raises:
        InputError: By the function returned: nothing was ever exported there.
        ServerUnavailableError: By the function returned: it could not be reached.
        ExportSettingsError: By the function returned: it does not accept address, account or certificate.
        ServerRefusedError: By the function returned: it does not answer this role or not now.
    """

    def ask(statement: str) -> list[dict[str, Any]]:
        try:
            return metrics_query(postgres, statement)
        except (psycopg2.errors.UndefinedTable, psycopg2.errors.InvalidSchemaName) as error:
            raise InputError(
                f"Nothing has been exported to Postgres yet at {postgres.address}",
                got=scrubbed(error, postgres),
                consequence=_UNCOMPARED,
                next_step="orders run, or orders export if the marts are built",
            ) from error
        except psycopg2.Error as error:
            raise explained(error, postgres, undone=_UNCOMPARED) from error

    return ask
