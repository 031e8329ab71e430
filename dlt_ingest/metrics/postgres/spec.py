"""What an exp_* model declares about its export: its key, and what becomes of keys that left it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from dlt_ingest.metrics.postgres.errors import ExportDeclarationError

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}$")


@dataclass(frozen=True)
class ExportSpec:
    """The export of one model.

    Attributes:
        target: Table in schema `metrics`; the model's own name.
        key: Columns that tell its rows apart, the grain of the model.
        deletes: `keep` leaves rows in Postgres whose key is no longer in the model; `mirror` deletes them.
        allow_empty: Under `mirror`, whether a model without a row may empty the table. Off, because an empty
            mart is far more often an accident.
        when: `built` exports right after the model is built; `run_end` after dbt has recorded the invocation's
            own results, for models that tell of them.
        since: For a model to which rows are only ever added: its timestamp of the adding. An export then sends
            what was added since the newest row that Postgres has, less a margin; without, the whole model.
    """

    target: str
    key: tuple[str, ...]
    deletes: Literal["keep", "mirror"] = "keep"
    allow_empty: bool = False
    when: Literal["built", "run_end"] = "built"
    since: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.match(self.target):
            raise self._refused(
                "target", self.target, "lower case letters, digits and underscores, at most 63"
            )
        if not self.key or not all(isinstance(name, str) and name for name in self.key):
            raise self._refused("key", list(self.key), "a list of at least one column name")
        if len(set(self.key)) != len(self.key):
            raise self._refused("key", list(self.key), "each column once")
        if self.deletes not in ("keep", "mirror"):
            raise self._refused("deletes", self.deletes, "keep, mirror")
        if not isinstance(self.allow_empty, bool):
            raise self._refused("allow_empty", self.allow_empty, "true, false")
        if self.when not in ("built", "run_end"):
            raise self._refused("when", self.when, "built, run_end")
        if self.since is not None and not (isinstance(self.since, str) and _NAME.match(self.since)):
            raise self._refused("since", self.since, "the name of a column")
        if self.since is not None and self.deletes == "mirror":
            raise self._refused(
                "since", self.since, "deletes: keep; rows that were not read look like deleted ones"
            )

    @classmethod
    def from_meta(cls, model: str, meta: object) -> ExportSpec:
        """Read `meta.export` of a model's configuration.

        Args:
            model: Name of the model, which becomes the table's name.
            meta: The value of `config.meta.export`.

        Raises:
            ExportDeclarationError: If it is missing, has no key, or has an invalid entry.
        """
        known = [item.name for item in fields(cls) if item.name != "target"]
        if not isinstance(meta, Mapping):
            raise cls._missing(model, known)
        unknown = sorted(set(map(str, meta)) - set(known))
        if unknown:
            raise ExportDeclarationError(
                f"meta.export of model {model} has an invalid entry",
                got=", ".join(unknown),
                allowed=", ".join(known),
                consequence="Nothing of this model was exported",
                next_step="Remove or correct the entry",
            )
        if "key" not in meta:
            raise cls._missing(model, known)
        key = meta["key"]
        options: dict[str, Any] = {name: meta[name] for name in known if name in meta and name != "key"}
        return cls(target=model, key=(key,) if isinstance(key, str) else tuple(key or ()), **options)

    @staticmethod
    def _missing(model: str, known: list[str]) -> ExportDeclarationError:
        return ExportDeclarationError(
            f"Model {model} is exported but declares no key",
            got="no config.meta.export.key",
            allowed=", ".join(known),
            consequence="Nothing of it was exported: without a key, a second export would double its rows",
            next_step="Add to the model's configuration: meta: {export: {key: [its grain columns]}}",
        )

    def _refused(self, name: str, got: object, allowed: str) -> ExportDeclarationError:
        return ExportDeclarationError(
            f"meta.export.{name} of model {self.target} cannot be used",
            got=got,
            allowed=allowed,
            consequence="Nothing of this model was exported",
            next_step=f"Correct meta.export.{name}",
        )
