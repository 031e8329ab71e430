"""Rows of a table changed in one Delta commit: what UPDATE, DELETE, MERGE and INSERT .. REPLACE have in common.

The engine's own MERGE is used nowhere: Sail 0.7.2 plans it in time and memory exponential in the number of columns (29
columns: 12 to 18 s and 1.5 GB, where a join of the same tables takes 0.03 s). Nor are its UPDATE and DELETE: they check no
CHECK, and refuse conditions that a SELECT takes. So a change is two queries and a commit, as in Delta's own MERGE:

1. Count, by file and clause, the rows that a clause is for. A file without such a row stays as it is.
2. Compute the rows of the other files as they are to be, and the new ones; stage them, and verify the table's rules on them.
3. Commit them, with those files removed.

Both queries read a *slice*: the table's files at one version, with their number as one more partition column. A target row
that several source rows are for shows in the counts: there are more rows than there can be, and nothing is committed.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deltalake import DeltaTable

from local_workspace.catalog import Table
from local_workspace.delta.commit import commit_changes
from local_workspace.delta.log import current_files, position_of, row_count
from local_workspace.delta.shape import TableShape, shape_of
from local_workspace.delta.slices import make_slice
from local_workspace.delta.staging import STAGE_FOLDER, Staged, stage
from local_workspace.sql.moments import at_moment, chance_in
from local_workspace.sql.references import Source
from local_workspace.sql.sql_error import SqlError
from local_workspace.sql.tokens import quote_identifier
from local_workspace.sql_warehouse.stand_in import StandIn
from local_workspace.sql_warehouse.statements.location import location_of
from local_workspace.sql_warehouse.statements.merge_statement import Clause, Match
from local_workspace.sql_warehouse.statements.store_assignment import assigned, spark_type
from local_workspace.sql_warehouse.statements.table_checks import verify

if TYPE_CHECKING:
    from local_workspace.sql_warehouse.session import Session

_TARGET, _SOURCE = "__changed_table", "__changing_rows"
# Rows of files that are smaller than this together go into one file.
_SMALL_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class ChangingRows:
    """The source of a MERGE.

    Attributes:
        alias: The name by which expressions refer to it.
        table: What the engine reads.
        condition: When a row of it is for a row of the table.
    """

    alias: str
    table: StandIn
    condition: str


@dataclass(frozen=True)
class Change:
    """What is to be done with the rows of a table.

    Attributes:
        operation: Delta's name for it, such as ``MERGE``.
        alias: The name by which expressions refer to the table.
        clauses: In their order; the first that is for a row is done. Those of UPDATE and DELETE are as those of a MERGE
            whose source has no row.
        source: The rows of a MERGE, else None.
        values: For each clause that writes rows, the expression of each column of the table; see
            :func:`set_columns.values_of`.
        added: Rows that are added besides; they are staged and verified.
        shape: The table's columns from now on, where they change.
        parameters: For the history.
    """

    operation: str
    alias: str
    clauses: Sequence[Clause]
    source: ChangingRows | None = None
    values: Mapping[Clause, Sequence[str]] = field(default_factory=dict)
    added: Staged | None = None
    shape: TableShape | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Changed:
    """How many rows were changed, and how many were written anew as they were, since they stood beside others."""

    updated: int = 0
    deleted: int = 0
    inserted: int = 0
    copied: int = 0

    @property
    def affected(self) -> int:
        """Rows that were changed in any way."""
        return self.updated + self.deleted + self.inserted


def change_rows(session: Session, table: Table, change: Change) -> Changed:
    """Change rows in one commit, or in none if nothing is to be changed.

    The caller holds the table's lock and clears its staging folder afterwards.

    Raises:
        SqlError: An expression cannot be computed, a row breaks a rule of the table, or several source rows are for one row
            (DELTA_MULTIPLE_SOURCE_ROW_MATCHING_IN_TARGET_ROW_IN_MERGE). The table is as it was.
    """
    return _RowChange(session, table, change).run()


def stand_in_of(folder: Path, fields: Sequence[Mapping[str, Any]], names: Sequence[str]) -> StandIn:
    """Return what stands for a name in a change: the rows of a Delta folder, its columns under other names.

    Args:
        folder: A Delta table that nobody else changes.
        fields: Its columns, as in a Delta schema; one of type ``void``, which Delta does not have, is NULL.
        names: The names of the columns in the statement.
    """
    columns = ", ".join(
        ("NULL" if f["type"] == "void" else quote_identifier(f["name"])) + f" AS {quote_identifier(name)}"
        for f, name in zip(fields, names, strict=True)
    )
    query = f"(SELECT {columns} FROM delta.{quote_identifier(str(folder))})"
    kinds = [(name, spark_type(f["type"])) for f, name in zip(fields, names, strict=True)]
    return StandIn(Source(query, True), kinds)


def slice_folder(location: Path) -> Path:
    """Return a new folder for throw-away files beside a table's own."""
    return location / STAGE_FOLDER / uuid.uuid4().hex


class _RowChange:
    def __init__(self, session: Session, table: Table, change: Change) -> None:
        self.session, self.table, self.change = session, table, change
        self.location = location_of(table)
        self.delta = DeltaTable(self.location)
        self.shape = change.shape or shape_of(self.delta)
        self.files = current_files(self.delta)
        self.folder = slice_folder(self.location)
        self.moment = datetime.now(timezone.utc)
        self.target = quote_identifier(change.alias)
        self.columns = [f["name"] for f in self.shape.fields]
        self.file = "__file"
        while self.file in {name.lower() for name in self.columns}:
            self.file += "_"

    def run(self) -> Changed:
        self._refuse_chance()
        position = position_of(self.delta)
        fields = [{**f, "nullable": True} for f in self.shape.fields]
        make_slice(self.location, position, self.files, self.folder, fields=fields, numbered=self.file)
        counts, touched = self._count()
        added = self.change.added
        if not counts and self.change.shape is None and (added is None or not added.adds):
            return Changed()
        removed = [self.files[at] for at in touched]
        before = self._rows_of(touched)
        queries = self._new_rows(counts, touched)
        staged = self._staged(queries, removed) if queries else None
        try:
            if staged is not None:
                verify(
                    self.session,
                    staged.folder,
                    staged.adds,
                    self.shape.fields,
                    self.shape.checks,
                    table=self.table.name,
                )
            changed = self._agreed(counts, before, 0 if staged is None else staged.rows)
            self._commit(staged, removed, changed)
        finally:
            if staged is not None:
                staged.discard()
        return changed

    def _refuse_chance(self) -> None:
        conditions = [clause.condition for clause in self.change.clauses]
        conditions.append(None if self.change.source is None else self.change.source.condition)
        for condition in conditions:
            name = chance_in(condition) if condition else None
            if name is not None:
                raise SqlError(
                    "DELTA_NON_DETERMINISTIC_FUNCTION_NOT_SUPPORTED",
                    f"Non-deterministic functions are not supported in the {self.change.operation} "
                    f"(condition = {condition}): {name}(). Nothing was written.",
                    "0AKDC",
                )

    # The first query

    def _count(self) -> tuple[Counter[int], list[int]]:
        """Rows by clause, and the numbers of the files that have such rows."""
        everything = range(len(self.files))
        if self.change.source is None and self.change.clauses[0].condition is None:
            every = self._rows_of(everything)
            return Counter({0: every} if every else {}), list(everything)
        parts = []
        for at, clause in enumerate(self.change.clauses):
            file = "CAST(NULL AS INT)" if clause.match is Match.BY_TARGET else f"{self.target}.{self.file}"
            parts.append(f"SELECT {file} AS file, {at} AS clause FROM {self._rows_of_clause(at)}")
        rows = " UNION ALL ".join(parts)
        query = f"SELECT file, clause, count(*) AS n FROM ({rows}) AS r GROUP BY file, clause"
        found = self.session.engine.query(self._engine_sql(query, None), tag=self.session.tag).table()
        counts: Counter[int] = Counter()
        touched: set[int] = set()
        for row in found.to_pylist():
            counts[row["clause"]] += row["n"]
            if row["file"] is not None:
                touched.add(row["file"])
        return counts, sorted(touched)

    def _rows_of_clause(self, at: int) -> str:
        """FROM and WHERE of the rows that a clause is for: those of its kind that no earlier clause is for."""
        clause = self.change.clauses[at]
        earlier = [c for c in self.change.clauses[:at] if c.match is clause.match]
        conditions = [f"({c.condition}) IS NOT TRUE" for c in earlier]
        if clause.condition is not None:
            conditions.insert(0, f"({clause.condition})")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return self._rows_for(clause.match) + where

    def _rows_for(self, match: Match) -> str:
        target, source = f"{_TARGET} AS {self.target}", self.change.source
        if source is None:
            return target
        other = f"{_SOURCE} AS {quote_identifier(source.alias)}"
        if match is Match.MATCHED:
            return f"{target} JOIN {other} ON {source.condition}"
        if match is Match.BY_SOURCE:
            return f"{target} LEFT ANTI JOIN {other} ON {source.condition}"
        # Whatever files the query reads otherwise: a row is new if no file has it.
        return f"{other} LEFT ANTI JOIN {_TARGET}_whole AS {self.target} ON {source.condition}"

    def _engine_sql(self, query: str, touched: Sequence[int] | None) -> str:
        place = f"delta.{quote_identifier(str(self.folder))}"
        columns = [(f["name"], spark_type(f["type"])) for f in self.shape.fields]
        every = ", ".join(map(quote_identifier, self.columns))
        part = place
        if touched is not None:
            numbers = (
                ""
                if len(touched) == len(self.files)
                else f" WHERE {self.file} IN ({', '.join(map(str, touched))})"
            )
            part = f"(SELECT {every} FROM {place}{numbers})"
        stand_ins = {
            _TARGET: StandIn(Source(part, touched is not None), columns),
            f"{_TARGET}_whole": StandIn(Source(f"(SELECT {every} FROM {place})", True), columns),
        }
        if self.change.source is not None:
            stand_ins[_SOURCE] = self.change.source.table
        # Both queries choose rows: what the clock says must not choose others in the second.
        return self.session.engine_sql(at_moment(query, self.moment), stand_ins=stand_ins)

    # The second query

    def _new_rows(self, counts: Mapping[int, int], touched: Sequence[int]) -> list[str]:
        queries = []
        for at, clause in enumerate(self.change.clauses):
            if clause.action == "DELETE" or not counts.get(at):
                continue
            values = ", ".join(f"({value}) AS c{i}" for i, value in enumerate(self.change.values[clause]))
            queries.append(f"SELECT {values} FROM {self._rows_of_clause(at)}")
        if touched:
            queries += self._kept()
        return [self._engine_sql(query, touched) for query in queries]

    def _kept(self) -> list[str]:
        """Return queries of the rows that no clause is for."""
        every = ", ".join(f"{self.target}.{quote_identifier(name)}" for name in self.columns)
        source = self.change.source
        acting, orphaned = (self._any(match) for match in (Match.MATCHED, Match.BY_SOURCE))
        if source is None:
            return (
                []
                if orphaned == "true"
                else [f"SELECT {every} FROM {_TARGET} AS {self.target} WHERE ({orphaned}) IS NOT TRUE"]
            )
        other = f"{_SOURCE} AS {quote_identifier(source.alias)}"
        with_match = f"LEFT ANTI JOIN {other} ON ({source.condition}) AND ({acting})"
        if orphaned is None:
            return [f"SELECT {every} FROM {_TARGET} AS {self.target} {with_match}"]
        queries = []
        if acting != "true":
            matched = (
                f"SELECT {every} FROM {_TARGET} AS {self.target} LEFT SEMI JOIN {other} ON {source.condition}"
            )
            queries.append(
                matched
                if acting is None
                else f"SELECT {every} FROM ({matched}) AS {self.target} {with_match}"
            )
        if orphaned != "true":
            queries.append(
                f"SELECT {every} FROM {self._rows_for(Match.BY_SOURCE)} WHERE ({orphaned}) IS NOT TRUE"
            )
        return queries

    def _any(self, match: Match) -> str | None:
        """Return the condition under which any clause of a kind is for a row; None if there is no such clause."""
        conditions = [c.condition for c in self.change.clauses if c.match is match]
        if not conditions:
            return None
        if None in conditions:
            return "true"
        return " OR ".join(f"({condition})" for condition in conditions)

    def _staged(self, queries: Sequence[str], removed: Sequence[Mapping[str, Any]]) -> Staged:
        places = {name.lower(): at for at, name in enumerate(self.columns)}
        rows = self.session.engine.union(
            queries, lambda frame: assigned(frame, self.shape.fields, places), tag=self.session.tag
        )
        if sum(add["size"] for add in removed) < _SMALL_BYTES:
            rows = rows.coalesce(1)
        return stage(rows, self.location, self.shape.partition_columns)

    # What came of it

    def _rows_of(self, touched: Sequence[int]) -> int:
        adds = [self.files[at] for at in touched]
        if all("stats" in add for add in adds):
            return sum(row_count(add) for add in adds)
        query = self._engine_sql(f"SELECT count(*) AS n FROM {_TARGET} AS t", touched)
        return int(self.session.engine.query(query).table()["n"][0].as_py())

    def _agreed(self, counts: Mapping[int, int], before: int, after: int) -> Changed:
        """Return the numbers of changed rows, held against the rows that there are.

        A clause counts pairs of rows. A target row with several of them makes more pairs than it can lose rows: so more rows
        are there than the counts say, by one for each pair too many.

        Raises:
            SqlError: A row has several pairs, and it matters which of them is taken.
        """
        updated, deleted, inserted = (
            sum(n for at, n in counts.items() if self.change.clauses[at].action == action)
            for action in ("UPDATE", "DELETE", "INSERT")
        )
        surplus = after - (before - deleted + inserted)
        matched = [c for c in self.change.clauses if c.match is Match.MATCHED]
        if surplus and len(matched) == 1 and matched[0].action == "DELETE" and matched[0].condition is None:
            deleted, surplus = deleted - surplus, 0
        if surplus:
            raise SqlError(
                "DELTA_MULTIPLE_SOURCE_ROW_MATCHING_IN_TARGET_ROW_IN_MERGE",
                "Cannot perform Merge as multiple source rows matched and attempted to modify the same target row in "
                f"{self.table.name.quoted} in possibly conflicting ways: {surplus} source rows too many. By SQL semantics "
                "of Merge, when multiple source rows match on the same target row, the result may be ambiguous as it is "
                "unclear which source row should be used. Nothing was written. Make the source unique by the columns of "
                "the ON condition.",
                "21506",
            )
        added = self.change.added
        return Changed(
            updated, deleted, inserted + (0 if added is None else added.rows), after - updated - inserted
        )

    def _commit(self, staged: Staged | None, removed: Sequence[Mapping[str, Any]], changed: Changed) -> None:
        stages = [part for part in (staged, self.change.added) if part is not None]
        adds = [add for part in stages for add in part.adds]
        if not adds and not removed and self.change.shape is None:
            return
        commit_changes(
            self.location,
            self.delta.version(),
            stages,
            removed,
            operation=self.change.operation,
            statement=self.session.tag or self.session.id,
            shape=self.change.shape,
            parameters=self.change.parameters,
            metrics=_metrics(self.change.operation, changed, adds, removed),
        )
        self.session.catalog.touch(self.table.name)


def _metrics(
    operation: str,
    changed: Changed,
    adds: Sequence[Mapping[str, Any]],
    removed: Sequence[Mapping[str, Any]],
) -> dict[str, int]:
    """Return what DESCRIBE HISTORY says; source: Databricks documentation on table history, "Operation metrics keys"."""
    added, gone = sum(add["size"] for add in adds), sum(add["size"] for add in removed)
    rows = changed.updated + changed.inserted + changed.copied
    if operation == "MERGE":
        return {
            "numTargetRowsInserted": changed.inserted,
            "numTargetRowsUpdated": changed.updated,
            "numTargetRowsDeleted": changed.deleted,
            "numTargetRowsCopied": changed.copied,
            "numOutputRows": rows,
            "numTargetFilesAdded": len(adds),
            "numTargetFilesRemoved": len(removed),
            "numTargetBytesAdded": added,
            "numTargetBytesRemoved": gone,
        }
    if operation == "WRITE":
        written = {"numFiles": len(adds), "numOutputRows": rows, "numOutputBytes": added}
        return {**written, "numRemovedFiles": len(removed), "numDeletedRows": changed.deleted}
    files = {
        "numAddedFiles": len(adds),
        "numRemovedFiles": len(removed),
        "numAddedBytes": added,
        "numRemovedBytes": gone,
        "numCopiedRows": changed.copied,
    }
    name = "numUpdatedRows" if operation == "UPDATE" else "numDeletedRows"
    return {name: changed.updated if operation == "UPDATE" else changed.deleted, **files}
