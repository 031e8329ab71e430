"""Errors of the Postgres export, one class for each party that has to act.

None of them ever carries a password: texts that come from libpq pass through `connection.scrubbed` first.
"""

from __future__ import annotations

from dlt_ingest.errors import OrdersError


class ExportError(OrdersError):
    """Base of everything the export raises on purpose; the warehouse's own errors pass through unchanged."""


class ExportDeclarationError(ExportError):
    """The author of an exp_* model must act: its `meta.export` or its columns cannot be exported.

    The failure policy never softens this one: no server that comes back would fix it.
    """


class ExportSettingsError(ExportError):
    """The user who configures the environment must act: address, credentials or certificate are not accepted."""


class ServerUnavailableError(ExportError):
    """Nobody has to act yet: Postgres could not be reached, or kept failing, for all attempts."""


class ServerRefusedError(ExportError):
    """The operator of Postgres must act: it is up, but takes no rows (read-only, full, not permitted)."""


class SchemaDriftError(ExportError):
    """The model and its table in Postgres no longer fit; their owners must agree on one of the two."""
