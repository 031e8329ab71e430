"""One session on the engine: runs queries as streams of Arrow batches, and knows Delta folders by name."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql.connect.plan import SQL, LocalRelation, SubqueryAlias
from pyspark.sql.types import YearMonthIntervalType

from local_workspace.catalog import TableName
from local_workspace.engine import connect
from local_workspace.sql.sql_error import SqlError, from_engine
from local_workspace.sql.tokens import quote_identifier
from local_workspace.sql_warehouse.result import Result

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

T = TypeVar("T")

# A session that knows more tables than a project has is full of the names of temporary ones.
_MOST_NAMES = 1000


class EngineSession:
    """A session on the engine, opened when it is first needed.

    Args:
        address: Gives the engine's Spark Connect address. When it changes, because the engine died and another one
            was started, the session goes on with the new one: all it had there were names, which are given again.
        log_file: The engine's log, for the text of an error when it has died.
        still_serves: Says whether the engine at an address that is no longer the one to begin with goes on: the session then
            stays with it, and with all that it has there.
    """

    def __init__(
        self,
        address: Callable[[], str],
        log_file: Path | None = None,
        still_serves: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._address = address
        self._still_serves = still_serves
        self._log_file = log_file
        self._lock = threading.Lock()
        self._spark: SparkSession | None = None
        self._connected_to = ""
        self._databases: set[str] = set()
        self._registered: dict[tuple[str, str], Path] = {}
        self._names: dict[str, str] = {}
        self._kept = threading.local()
        self._asked = ""

    @property
    def is_reusable(self) -> bool:
        """Whether another client may go on with it: it holds nothing but tables by name, and these are not too many."""
        return len(self._registered) < _MOST_NAMES

    def is_connected_to(self, address: str) -> bool:
        """Return whether it has something open on the engine at an address."""
        return self._spark is not None and self._connected_to == address

    @property
    def spark(self) -> SparkSession:
        """The Spark Connect session.

        Raises:
            EngineError: The engine is gone.
        """
        with self._lock:
            address = self._address()
            moved = self._connected_to != address and not self._still_serves(self._connected_to)
            if self._spark is None or moved:
                self._spark = connect(address, log_file=self._log_file)
                self._connected_to = address
                self._databases.clear()
                self._registered.clear()
            return self._spark

    def table(self, name: TableName, location: Path) -> str:
        """Make a Delta folder known to the engine and return its name there, quoted.

        The engine reads the columns from the Delta log whenever it plans a statement, so a name stays good when the table is
        replaced or gets new columns.

        Args:
            name: The table's name with the last part as it is written in the statement: ``t.column`` refers to it.
            location: The Delta folder.
        """
        database = re.sub(r"[^a-z0-9]", lambda m: f"_{ord(m[0]):x}", name.catalog.lower())
        database += "__" + re.sub(r"[^a-z0-9]", lambda m: f"_{ord(m[0]):x}", name.schema.lower())
        quoted = f"{database}.{quote_identifier(name.table)}"
        spark = self.spark
        with self._lock:
            if database not in self._databases:
                spark.sql(f"CREATE SCHEMA IF NOT EXISTS {database}")
                self._databases.add(database)
                self._names[database] = f"{name.catalog}.{name.schema}"
            known = self._registered.get((database, name.table))
            if known != location:
                if known is not None:
                    spark.sql(f"DROP TABLE IF EXISTS {quoted}")
                spark.sql(f"CREATE TABLE IF NOT EXISTS {quoted} USING delta LOCATION '{_escaped(location)}'")
                self._registered[(database, name.table)] = location
        return quoted

    def query(self, sql: str, *, tag: str | None = None) -> Result:
        """Run a query; rows come while they are read.

        Args:
            sql: SQL with the engine's names.
            tag: Under which :meth:`interrupt` finds it.

        Raises:
            SqlError: The engine refused or failed.
        """
        self._asked = sql
        with self._errors():
            first, stream = self._started(sql, tag)
            if any(str(kind) == "month_interval" for kind in first.schema.types):
                # Values of these types pyarrow cannot even give out.
                first, stream = self._started(sql, tag, months_as_text=True)
        return Result(first.schema, self._batches(first, stream))

    def _started(
        self, sql: str, tag: str | None, *, months_as_text: bool = False
    ) -> tuple[pa.Table, Iterator[pa.Table]]:
        # One request to the engine: SparkSession.sql() would send the text once to run it as a command, once for its columns
        # and once for its rows.
        client = self.spark.client
        plan: Any = with_months_as_text(self._frame(sql))._plan if months_as_text else self._plan(sql)
        stream = client.to_table_as_iterator(plan.to_proto(client), {})
        with self._tagged(tag):
            # The first item starts the execution, under the tag of this thread.
            first = next((item for item in stream if isinstance(item, pa.Table)), None)
        if first is None:
            raise SqlError("INTERNAL_ERROR", "The engine gave no schema for the result.")
        return first, (item for item in stream if isinstance(item, pa.Table))

    def _batches(self, first: pa.Table, stream: Iterator[pa.Table]) -> Iterator[pa.RecordBatch]:
        yield from first.to_batches()
        with self._errors():
            for table in stream:
                yield from table.to_batches()

    def frame(self, sql: str, *, schema: StructType | None = None, tag: str | None = None) -> DataFrame:
        """Plan a query.

        Args:
            sql: SQL with the engine's names.
            schema: What the query gives, if that is known.
            tag: Under which :meth:`interrupt` finds it.

        Raises:
            SqlError: The engine refused or failed, or would answer wrongly.
        """
        self._asked = sql
        with self._errors():
            return self._planned(sql, schema, tag)

    def _planned(self, sql: str, schema: StructType | None, tag: str | None) -> DataFrame:
        with self._tagged(tag):
            frame = self._frame(sql)
            if schema is not None:
                cast("Any", frame)._cached_schema = schema
            frame.schema  # noqa: B018  (plans the query, so that what cannot be planned is seen here)
            return frame

    def _frame(self, sql: str) -> DataFrame:
        # SparkSession.sql() would send the text once more, to run it as a command.
        from pyspark.sql.connect.dataframe import DataFrame as ConnectFrame  # noqa: PLC0415

        return cast("DataFrame", ConnectFrame(self._plan(sql), cast("Any", self.spark)))

    def _plan(self, sql: str) -> SQL:
        rows = {name: table for name, table in self._rows().items() if name in sql}
        views = [SubqueryAlias(LocalRelation(table), name) for name, table in rows.items()]
        return SQL(sql, views=views or None)

    def _rows(self) -> dict[str, pa.Table]:
        rows: dict[str, pa.Table] = self._kept.__dict__.setdefault("rows", {})
        return rows

    def union(
        self, queries: Sequence[str], put: Callable[[DataFrame], DataFrame], *, tag: str | None
    ) -> DataFrame:
        """Plans one frame of the rows of several queries.

        Args:
            queries: SQL with the engine's names; at least one.
            put: Brings the rows of each to the same columns.
            tag: Under which :meth:`interrupt` finds it.

        Raises:
            SqlError: The engine refused one, or would answer wrongly.
        """
        frames = [put(self.frame(sql, tag=tag)) for sql in queries]
        # The rows are computed later: an error then may be of any of them.
        self._asked = "\n".join(queries)
        rows = frames[0]
        for frame in frames[1:]:
            rows = rows.union(frame)
        return rows

    def keep_rows(self, name: str, rows: pa.Table) -> str:
        """Make an Arrow table readable under a name, which is quoted and returned.

        The rows go with each query of this thread that has the name in its text, so the engine has nothing to forget.

        Args:
            name: Nobody else's.
            rows: The rows.
        """
        self._rows()[name] = rows
        return quote_identifier(name)

    def drop_rows(self) -> None:
        """Forget the rows that this thread had kept; queries that run go on with theirs."""
        self._rows().clear()

    def error(self, error: PySparkException) -> SqlError:
        """Return an error of the engine in Databricks' words, with the catalog's names instead of the engine's."""
        text = str(error)
        for engine_name, name in self._names.items():
            text = text.replace(engine_name, name)
        return from_engine(text, self._asked)

    def interrupt(self, tag: str) -> None:
        """Stop what runs under the tag."""
        if self._spark is not None:
            self._spark.interruptTag(tag)

    def close(self) -> None:
        """End the session on the engine."""
        with self._lock:
            spark, self._spark = self._spark, None
        if spark is not None:
            try:
                spark.client.release_session()
                spark.client.close()
            except Exception:  # noqa: BLE001, S110  (the engine may be gone already; there is nothing to keep)
                pass

    def _tagged(self, tag: str | None) -> _Tag:
        return _Tag(self.spark, tag)

    def _errors(self) -> _EngineErrors:
        return _EngineErrors(self)


def with_months_as_text(frame: DataFrame) -> DataFrame:
    """Return a query whose intervals of years and months are texts, ``2-3``, as Databricks' clients get them."""
    from pyspark.sql.connect import functions as f  # noqa: PLC0415

    columns = []
    for at, field in enumerate(frame.schema.fields):
        column: Any = f.col(f"c{at}")
        if isinstance(field.dataType, YearMonthIntervalType):
            months = f"CAST(c{at} AS INT)"
            sign = f"CASE WHEN {months} < 0 THEN '-' ELSE '' END"
            column = f.expr(f"concat({sign}, abs({months}) DIV 12, '-', abs({months}) % 12)")
        columns.append(column.alias(field.name))
    return frame.toDF(*[f"c{at}" for at in range(len(columns))]).select(*columns)


class _Tag:
    def __init__(self, spark: SparkSession, tag: str | None) -> None:
        self._spark, self._tag = spark, tag

    def __enter__(self) -> None:
        if self._tag:
            self._spark.addTag(self._tag)

    def __exit__(self, *_: object) -> None:
        if self._tag:
            self._spark.removeTag(self._tag)


class _EngineErrors:
    """Turns the engine's errors into SqlError."""

    def __init__(self, engine: EngineSession) -> None:
        self._engine = engine

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, PySparkException):
            raise self._engine.error(error) from error


def _escaped(location: Path) -> str:
    return str(location).replace("\\", "\\\\").replace("'", "\\'")
