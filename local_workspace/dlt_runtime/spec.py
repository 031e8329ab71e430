"""What an update is asked to do, and what it gives back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from local_workspace.errors import ConfigurationError
from local_workspace.layout import check_name

#: A source file of a pipeline is a Python file, a SQL file or a notebook; notebooks also come as the first two.
SOURCE_SUFFIXES = (".py", ".sql", ".ipynb")


@dataclass(frozen=True)
class EventLogTarget:
    """The table that receives the event log; the fields are those of a bundle's `event_log`."""

    catalog: str
    schema: str
    name: str


@dataclass(frozen=True)
class PipelineSpec:
    """A pipeline, with the fields of a bundle's pipeline resource.

    Args:
        name: The pipeline's name; its bookkeeping is kept under it.
        catalog: Where names of one and two levels lie.
        schema: Where names of one level lie.
        libraries: `{"glob": {"include": "..."}}`, `{"file": {"path": "..."}}` or `{"notebook": {"path": "..."}}`,
            relative to `base_path`.
        base_path: The folder of the bundle.
        root_path: Put on `sys.path` while the files are loaded; relative to `base_path`.
        configuration: What `spark.conf.get` serves to pipeline code.
        event_log: The event log table, or None for no published log.
        mounts: Path as pipeline code writes it (`/Volumes/c/s/v`, `s3://bucket/folder`) -> the folder on this
            machine that stands for it. A path below no mount is in the workspace's own volumes.
    """

    name: str
    catalog: str
    schema: str
    libraries: Sequence[Mapping[str, Mapping[str, str]]]
    base_path: Path
    root_path: Path | None = None
    configuration: Mapping[str, str] = field(default_factory=dict)
    event_log: EventLogTarget | None = None
    mounts: Mapping[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ConfigurationError("A pipeline needs a name", got=repr(self.name))
        check_name(self.catalog, "catalog")
        check_name(self.schema, "schema")
        wrong = [k for k, v in self.configuration.items() if not isinstance(v, str)]
        if wrong:
            raise ConfigurationError("Values of a pipeline's configuration are strings", got=", ".join(wrong))

    @property
    def folder_name(self) -> str:
        """The pipeline's name as a folder: letters of ASCII, digits, dot, dash and underscore."""
        safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in self.name)[:100]
        if self.name.isascii() and len(self.name) <= len(safe):
            return safe
        return f"{safe}-{hashlib.sha256(self.name.encode()).hexdigest()[:12]}"

    def root(self) -> Path:
        """Return the folder that imports and messages are relative to."""
        return (self.base_path / (self.root_path or ".")).resolve()

    def files(self) -> list[Path]:
        """List the pipeline files, each once, sorted by path.

        Raises:
            ConfigurationError: A library is of a kind that is not known, or matches no source files.
        """
        found: dict[Path, None] = {}
        for library in self.libraries:
            matches = sorted(self._matches(library))
            if not matches:
                raise ConfigurationError(
                    f"Library {dict(library)} of pipeline {self.name} matches no source files",
                    got=f"searched below {self.base_path}",
                    consequence="The update would have no datasets",
                )
            found.update(dict.fromkeys(matches))
        if not found:
            raise ConfigurationError(f"Pipeline {self.name} has no libraries")
        return list(found)

    def _matches(self, library: Mapping[str, Mapping[str, str]]) -> list[Path]:
        if set(library) == {"file"}:
            path = (self.base_path / library["file"]["path"]).resolve()
            return [path] if path.suffix in SOURCE_SUFFIXES and path.is_file() else []
        if set(library) == {"notebook"}:
            # A bundle may name a notebook without the suffix that it has as a file.
            path = (self.base_path / library["notebook"]["path"]).resolve()
            found = [path, *(path.with_name(path.name + suffix) for suffix in SOURCE_SUFFIXES)]
            return [p for p in found if p.suffix in SOURCE_SUFFIXES and p.is_file()][:1]
        if set(library) == {"glob"}:
            return self._glob(library["glob"]["include"])
        raise ConfigurationError(
            "A library of a pipeline is a file, a notebook or a glob",
            got=dict(library),
            allowed="{file: {path}}, {notebook: {path}} or {glob: {include}}",
        )

    def _glob(self, pattern: str) -> list[Path]:
        if Path(pattern).is_relative_to(self.base_path):
            # A bundle that was loaded gives its paths resolved.
            pattern = Path(pattern).relative_to(self.base_path).as_posix()
        if Path(pattern).is_absolute():
            raise ConfigurationError("A glob of a pipeline is relative to the bundle", got=pattern)
        # Databricks documents `folder/**` for all files below a folder; pathlib needs the file part spelt out.
        folder = self.base_path / pattern.removesuffix("**")
        below = folder.rglob("*") if folder.is_dir() else self.base_path.glob(pattern)
        return [
            p.resolve()
            for p in below
            if p.suffix in SOURCE_SUFFIXES
            and p.name != "__init__.py"
            and not any(part.startswith((".", "__pycache__")) for part in p.relative_to(self.base_path).parts)
        ]


@dataclass(frozen=True)
class ExpectationCount:
    """How often one rule held and failed in an update, in rows."""

    name: str
    action: str
    passed: int
    failed: int


@dataclass
class DatasetResult:
    """What an update did to one dataset.

    Attributes:
        status: COMPLETED, FAILED, SKIPPED (a dataset above failed), EXCLUDED (not selected), IDLE (nothing
            to do) or CHECKED (by a dry run).
        refresh: What kind of refresh ran: APPEND, AUTO_CDC, APPEND_ONLY, GROUP_AGGREGATE, COMPLETE_RECOMPUTE, NO_OP,
            VIEW or NONE.
        rows_in: Rows that the queries gave, before expectations; rows_out: rows written; rows_dropped: their
            difference.
        seconds: Wall time.
    """

    name: str
    kind: str
    status: str = "QUEUED"
    refresh: str = "NONE"
    reason: str | None = None
    rows_in: int = 0
    rows_out: int = 0
    rows_dropped: int = 0
    rows_upserted: int = 0
    rows_deleted: int = 0
    batches: int = 0
    seconds: float = 0.0
    expectations: list[ExpectationCount] = field(default_factory=list)
    error: str | None = None


@dataclass(frozen=True)
class SourceFile:
    """One input file that a batch took, or could not read (then `fault` says why and `rows` is 0)."""

    dataset: str
    path: str
    size: int
    rows: int
    fault: str | None = None


@dataclass
class UpdateResult:
    """The outcome of one update.

    Attributes:
        state: COMPLETED or FAILED; the next update writes FAILED into the log for one whose process was
            killed.
        files: Input files taken in this update.
        faults: Input files that could not be read, from this update and from earlier ones, while they are
            unchanged.
        may_change_alone: Why the next update may give other rows though no file and no table has changed: a query that
            asks for time, chance or a file outside the volumes. Empty: it would do nothing.
        error: The first error, as one readable text, or None.
        exception: The same error as an exception, for a caller that wants to raise it.
    """

    update_id: str
    pipeline: str
    state: str
    datasets: dict[str, DatasetResult] = field(default_factory=dict)
    files: list[SourceFile] = field(default_factory=list)
    faults: list[SourceFile] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    may_change_alone: list[str] = field(default_factory=list)
    seconds: float = 0.0
    error: str | None = None
    exception: BaseException | None = None

    @property
    def ok(self) -> bool:
        """Whether the update ended as COMPLETED."""
        return self.state == "COMPLETED"

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the exception as JSON-ready values."""
        content = {k: v for k, v in self.__dict__.items() if k != "exception"}
        content["datasets"] = {k: asdict(v) for k, v in self.datasets.items()}
        content["files"] = [asdict(f) for f in self.files]
        content["faults"] = [asdict(f) for f in self.faults]
        return content
