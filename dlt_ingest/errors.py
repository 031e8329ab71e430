"""Errors of the orders product, one class for each party that has to act."""

from __future__ import annotations

from foundation.errors import DiagnosedError


class OrdersError(DiagnosedError):
    """Base of every error that this package raises on purpose."""


class ConfigurationError(OrdersError):
    """The user who configures the deployment must act: a setting or a variable is not as it has to be."""


class InputError(OrdersError):
    """The caller must act: an argument, a path or a file given to a command is not acceptable."""


class DataFault(OrdersError):  # noqa: N818  (names the state of the data, not a failed call)
    """Somebody must look at the data: what is on disk or in a table is not as this package left it."""


class BusyError(OrdersError):
    """Nobody needs to act, only wait: another process is doing the same work on the same files."""
