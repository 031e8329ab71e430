"""Errors of the local workspace, one class for each party that has to act."""

from __future__ import annotations

from foundation.errors import DiagnosedError


class LocalWorkspaceError(DiagnosedError):
    """Base of every error that the local workspace raises on purpose."""

    @staticmethod
    def from_dict(parts: dict[str, str | None]) -> LocalWorkspaceError:
        """Rebuild the error that another process wrote with :meth:`to_dict`."""
        kind = next((kind for kind in _KINDS if kind.__name__ == parts.get("class")), LocalWorkspaceError)
        error = kind.__new__(kind)
        LocalWorkspaceError.__init__(
            error,
            parts.get("what") or "The local workspace failed",
            got=parts.get("got"),
            allowed=parts.get("allowed"),
            consequence=parts.get("consequence"),
            next_step=parts.get("next_step"),
        )
        return error


class ConfigurationError(LocalWorkspaceError):
    """The user who configures the workspace must act: a setting, a package or a folder is not as it has to be."""


class InputError(LocalWorkspaceError):
    """The caller must act: a name, a path or an argument is not acceptable."""


class NotFound(InputError):  # noqa: N818  (a condition of the catalog, for whoever asked)
    """The caller must act: what it names is not in the catalog, or not any more.

    Args:
        thing: What was asked for, with its kind: `table a.b.c`.
        kind: CATALOG, SCHEMA, TABLE or VOLUME.
    """

    kind = "TABLE"

    def __init__(self, thing: object, kind: str = "TABLE") -> None:
        self.kind = kind
        super().__init__(f"There is no {thing} in the catalog")


class PipelineCodeError(LocalWorkspaceError):
    """The author of the pipeline code must act: the code does not define a pipeline that can run."""


class InvalidName(InputError):  # noqa: N818  (says what happened)
    """A catalog, schema, table or volume cannot have this name."""


class NotSupported(LocalWorkspaceError):  # noqa: N818  (reads as what it says: "NotSupported: ...")
    """The stand-in does not do what Databricks does; it says so rather than doing something else.

    Args:
        thing: The feature, statement or option, by the name its user wrote.
        way_out: What to do instead.
        got: The text or value that asked for it.
    """

    def __init__(self, thing: str, way_out: str | None = None, *, got: object = None) -> None:
        self.thing = thing
        super().__init__(f"{thing} is not supported by the local workspace", got=got, next_step=way_out)


class EngineError(LocalWorkspaceError):
    """The engine process died, cannot be reached or cannot start; the statement may be run again."""


class DataFault(LocalWorkspaceError):  # noqa: N818  (names the state of the data, not a failed call)
    """The data on disk is not as the workspace left it; somebody has to look before more is written."""


class WorkspaceBusy(LocalWorkspaceError):  # noqa: N818  (a condition that passes; try again)
    """Another process holds what this one needs; waiting or stopping the other one helps."""


_KINDS: tuple[type[LocalWorkspaceError], ...] = (
    ConfigurationError,
    InputError,
    InvalidName,
    NotFound,
    PipelineCodeError,
    NotSupported,
    EngineError,
    DataFault,
    WorkspaceBusy,
)
