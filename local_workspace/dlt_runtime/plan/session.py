"""The Spark session as pipeline code sees it.

On Databricks a dataset function may look at `spark`, but it changes nothing: it is called several times while
a pipeline is planned. So inside `guarded()` the session answers `spark.conf.get` from the pipeline's
configuration, keeps `spark.sql` lazy, resolves table names through the runtime instead of the engine's
catalog, and refuses every change of the session. Outside it is an ordinary Spark Connect session, which the
runtime itself uses.

The list of refused methods follows Apache Spark's `pyspark.pipelines.block_session_mutations`. The client
methods that are wrapped are private API of pyspark 4.2; an integration test covers each of them.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import grpc
from pyspark.errors import PySparkException
from pyspark.sql.connect import functions, proto
from pyspark.sql.connect.catalog import Catalog as SparkCatalog
from pyspark.sql.connect.conf import RuntimeConf
from pyspark.sql.connect.dataframe import DataFrame
from pyspark.sql.connect.plan import SQL, CreateView, LogicalPlan, SubqueryAlias
from pyspark.sql.connect.readwriter import DataFrameWriter, DataFrameWriterV2
from pyspark.sql.connect.session import SparkSession
from pyspark.sql.connect.sql_formatter import SQLStringFormatter
from pyspark.sql.connect.streaming.readwriter import DataStreamWriter
from pyspark.sql.connect.udf import UDFRegistration
from pyspark.sql.session import SparkSession as ClassicSession
from pyspark.sql.types import StructType

from local_workspace.dlt_runtime.declare.registry import loading_registry
from local_workspace.dlt_runtime.files.reads import FileRead
from local_workspace.dlt_runtime.files.sql_reads import replace_reads
from local_workspace.dlt_runtime.paths import Paths
from local_workspace.dlt_runtime.plan import input_file_name, sql_state
from local_workspace.dlt_runtime.plan.plans import Relation
from local_workspace.errors import NotSupported, PipelineCodeError
from local_workspace.sql import pipeline_sql
from local_workspace.sql.tokens import tokenize

#: Class and method: what pipeline code must not call while it declares datasets.
BLOCKED_METHODS: tuple[tuple[type, str], ...] = (
    (RuntimeConf, "unset"),
    (SparkCatalog, "setCurrentCatalog"),
    (SparkCatalog, "setCurrentDatabase"),
    (SparkCatalog, "dropTempView"),
    (SparkCatalog, "dropGlobalTempView"),
    (DataFrame, "createGlobalTempView"),
    (DataFrame, "createOrReplaceGlobalTempView"),
    (UDFRegistration, "registerJavaFunction"),
    (UDFRegistration, "registerJavaUDAF"),
    (DataFrameWriter, "save"),
    (DataFrameWriter, "saveAsTable"),
    (DataFrameWriter, "insertInto"),
    (DataFrameWriterV2, "create"),
    (DataFrameWriterV2, "append"),
    (DataFrameWriterV2, "createOrReplace"),
    (DataFrameWriterV2, "overwrite"),
    (DataStreamWriter, "start"),
    (DataStreamWriter, "toTable"),
)

Resolver = Callable[[Relation], Relation]


class PlannedRelation(LogicalPlan):
    """A plan that is already a protobuf message, to be run through the ordinary DataFrame interface."""

    def __init__(self, relation: Relation) -> None:
        super().__init__(None)
        self.relation = relation

    def plan(self, session: Any) -> Relation:  # noqa: ARG002 - pyspark's
        """Give the message."""
        return self.relation


def data_frame(relation: Relation, spark: SparkSession) -> DataFrame:
    """Wrap a plan message as a DataFrame."""
    return DataFrame(PlannedRelation(relation), spark)


def engine_schema(relation: Relation, session: PipelineSession) -> StructType | None:
    """Ask the engine for the schema of a plan that is ready for it; None where it cannot say.

    Args:
        relation: The plan.
        session: The pipeline's session, guarded or not.
    """
    with unguarded(session):
        try:
            return data_frame(relation, session).schema
        except (PySparkException, grpc.RpcError):
            return None  # whoever runs the plan hears what is wrong with it


def relation_of(frame: DataFrame, spark: SparkSession) -> Relation:
    """Give a DataFrame's plan as a message of its own."""
    copy = Relation()
    copy.CopyFrom(frame._plan.to_proto(spark._client).root)
    return copy


class PipelineConf(RuntimeConf):
    """`spark.conf` of pipeline code: the pipeline's configuration before the engine's."""

    def __init__(self, client: Any, configuration: dict[str, str]) -> None:
        super().__init__(client)
        self._configuration = configuration

    def set(self, key: str, value: Any) -> None:
        """Set a value of the pipeline's configuration, at the top level of a source file only.

        Raises:
            PipelineCodeError: It is called inside a dataset function.
            NotSupported: The setting would change what queries give, and cannot here.
        """
        registry = loading_registry()
        if registry is None:
            _blocked("RuntimeConf.set")()
        assert registry is not None  # noqa: S101
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if key.lower() == "spark.sql.session.timezone" and text.upper() not in {"UTC", "ETC/UTC", "GMT", "Z"}:
            raise NotSupported(
                f"spark.sql.session.timeZone {text}",
                "Leave the session in UTC and convert where it matters: from_utc_timestamp(column, zone)",
            )
        if key.lower().startswith("spark."):
            registry.note(
                f"{registry.caller()}: spark.conf.set({key!r}, {text!r}) has no effect here: the engine is not Spark"
            )
        self._configuration[key] = text

    def get(self, key: str, *default: Any, **kwargs: Any) -> Any:
        """Return the pipeline's value of a key, or the engine's."""
        if key in self._configuration:
            return self._configuration[key]
        try:
            return super().get(key, *default, **kwargs)
        except PySparkException as error:
            raise PipelineCodeError(
                f"spark.conf.get({key!r}): the configuration of the pipeline has no such key",
                allowed=", ".join(sorted(self._configuration)) or "no key is set",
                next_step=f"Set it: --conf {key}=VALUE, or the configuration of the pipeline; or give a default:"
                f" spark.conf.get({key!r}, '...')",
            ) from error


class PipelineUdfs(UDFRegistration):
    """`spark.udf` of pipeline code: functions for SQL text, registered at the top level of a source file only."""

    def register(self, name: str, f: Any, returnType: Any = None) -> Any:  # noqa: N803  (Spark's signature)
        """Register a Python function under a name."""
        if loading_registry() is None:
            _blocked("UDFRegistration.register")()
        session: PipelineSession = self.sparkSession  # type: ignore[assignment]
        session.pipeline_functions.add(name.lower())
        with unguarded(session):
            return super().register(name, f, returnType)


class PipelineSession(SparkSession):
    """A Spark Connect session with the `spark.sql` and `spark.conf` of a pipeline.

    Made by :func:`adopt_session`.
    """

    pipeline_configuration: dict[str, str]
    pipeline_paths: Paths
    pipeline_functions: set[str]
    direct_reads: dict[str, FileRead]
    temp_frames: dict[str, DataFrame]
    _pipeline_guarded: bool

    @property
    def conf(self) -> RuntimeConf:
        """The configuration as pipeline code sees it."""
        if self._pipeline_guarded:
            return PipelineConf(self.client, self.pipeline_configuration)
        return RuntimeConf(self.client)

    @property
    def udf(self) -> UDFRegistration:
        """The registration of functions as pipeline code sees it."""
        return PipelineUdfs(self) if self._pipeline_guarded else UDFRegistration(self)

    def table(self, tableName: str) -> Any:  # noqa: N803  (signature of SparkSession)
        """Return a table, or what a dataset function has named as a temporary view."""
        named = self.temp_frames.get(tableName.strip("`").lower()) if self._pipeline_guarded else None
        return super().table(tableName) if named is None else named

    def sql(self, sqlQuery: str, args: Any = None, **kwargs: Any) -> Any:  # noqa: N803  (signature of SparkSession)
        """Return the query without running it.

        Spark Connect would run it at once to see whether it is a command.
        """
        if not self._pipeline_guarded:
            return super().sql(sqlQuery, args, **kwargs)
        named = {k: functions.lit(v) for k, v in args.items()} if isinstance(args, Mapping) else {}
        positional = [] if args is None or isinstance(args, Mapping) else [functions.lit(v) for v in args]
        views: list[SubqueryAlias] = []
        if kwargs:
            formatter = SQLStringFormatter(self)
            sqlQuery = formatter.format(sqlQuery, **kwargs)  # noqa: N806
            views = [SubqueryAlias(frame._plan, name) for frame, name in formatter._temp_views]
        words = [token.upper for token in tokenize(sqlQuery)[:2] if token.text != "("]
        first = words[0].lower() if words else ""
        if first == "set" and loading_registry() is not None:
            key, _, value = sqlQuery.strip().rstrip(";")[3:].partition("=")
            self.conf.set(key.strip(), value.strip().strip("'\""))
            return self.range(0)
        registry = loading_registry()
        if first == "use" and registry is not None and registry.use(sqlQuery):
            return self.range(0)
        if first == "use":
            raise NotSupported(
                "USE in a dataset function, or in another form than a name",
                "Write it at the top level of the file: spark.sql('USE CATALOG name'); or write catalog and schema before "
                "the names (catalog.schema.table)",
                got=repr(sqlQuery[:80]),
            )
        if first not in {"select", "with", "values", "from", "table"}:
            raise PipelineCodeError(
                "spark.sql in a dataset function takes a query",
                got=repr(sqlQuery[:80]),
                allowed="SELECT, WITH, VALUES, FROM or TABLE",
                consequence="A statement that changes something would run each time the pipeline is planned",
            )
        for reference in pipeline_sql.table_references(sqlQuery, "spark.sql") if self.temp_frames else ():
            frame = self.temp_frames.get(reference.name.strip("`").lower())
            if frame is not None and reference.name not in {view._alias for view in views}:
                views.append(SubqueryAlias(frame._plan, reference.name))
        sqlQuery = input_file_name.in_text(sqlQuery)  # noqa: N806
        sqlQuery = replace_reads(sqlQuery, self.direct_reads, "spark.sql")  # noqa: N806
        if not (named or positional or views):
            frame = sql_state.as_frames(sqlQuery, self)
            if frame is not None:
                return frame
        return DataFrame(SQL(sqlQuery, positional, named, views), self)


def adopt_session(spark: SparkSession, configuration: Mapping[str, str], paths: Paths) -> PipelineSession:
    """Turn a session into a pipeline's.

    It stays the same object, so DataFrames made of it before stay valid.
    """
    spark.__class__ = PipelineSession
    session: PipelineSession = spark  # type: ignore[assignment]
    session.pipeline_configuration = dict(configuration)
    session.pipeline_paths = paths
    session.pipeline_functions = set()
    session.direct_reads = {}
    session.temp_frames = {}
    session._pipeline_guarded = False
    return session


@contextlib.contextmanager
def guarded(session: PipelineSession, resolve: Resolver) -> Iterator[None]:
    """Let pipeline code use the session.

    Args:
        session: The session.
        resolve: Turns a plan with table names into one that the engine can answer; called when pipeline code
            asks for a schema or for rows.
    """
    client: Any = session._client
    kept = {(owner, name): getattr(owner, name) for owner, name in BLOCKED_METHODS if hasattr(owner, name)}
    # A view of a dataset function is a name for a DataFrame, good for the SQL text of the same function.
    makers = {name: getattr(DataFrame, name) for name in ("createTempView", "createOrReplaceTempView")}
    wrapped = {
        name: getattr(client, name) for name in ("_analyze", "to_table", "to_table_as_iterator", "to_pandas")
    }
    active = getattr(SparkSession._active_session, "session", None)
    # Code that makes its own session gets the pipeline's, as on Databricks.
    kinds: tuple[Any, ...] = (ClassicSession.Builder, SparkSession.Builder)
    builders = [(builder, builder.getOrCreate) for builder in kinds]
    try:
        for builder, _ in builders:
            builder.getOrCreate = lambda _self: session
        for owner, name in kept:
            setattr(owner, name, _blocked(f"{owner.__name__}.{name}"))
        for name in makers:
            setattr(DataFrame, name, _name_frame)
        for name, original in wrapped.items():
            setattr(client, name, _resolving(original, resolve))
        client.execute_command = _blocked("a command")
        SparkSession._active_session.session = session
        session._pipeline_guarded = True
        yield
    finally:
        session._pipeline_guarded = False
        for name, maker in makers.items():
            setattr(DataFrame, name, maker)
        session.temp_frames.clear()
        for builder, original in builders:
            builder.getOrCreate = original
        SparkSession._active_session.session = active
        for name in (*wrapped, "execute_command"):
            client.__dict__.pop(name, None)
        for (owner, name), original in kept.items():
            setattr(owner, name, original)


@contextlib.contextmanager
def unguarded(session: PipelineSession) -> Iterator[None]:
    """Let the runtime itself use a guarded session, while it answers pipeline code."""
    client: Any = session._client
    names = ("_analyze", "to_table", "to_table_as_iterator", "to_pandas", "execute_command")
    guards = {name: client.__dict__.pop(name) for name in names if name in client.__dict__}
    views = {
        n: getattr(DataFrame, n)
        for n in (
            "createTempView",
            *(n for o, n in BLOCKED_METHODS if o is DataFrame),
            "createOrReplaceTempView",
        )
    }
    was = session._pipeline_guarded
    try:
        session._pipeline_guarded = False
        DataFrame.createOrReplaceTempView = _create_view  # type: ignore[method-assign, assignment]
        yield
    finally:
        session._pipeline_guarded = was
        client.__dict__.update(guards)
        for name, method in views.items():
            setattr(DataFrame, name, method)


def _name_frame(frame: DataFrame, name: str) -> None:
    session: PipelineSession = frame._session  # type: ignore[assignment]
    if loading_registry() is not None:
        raise PipelineCodeError(
            "A temporary view at the top level of a pipeline file",
            got=name,
            consequence="Nothing is read before the datasets are planned",
            next_step="Declare it: @dlt.view, or CREATE TEMPORARY VIEW in a SQL file",
        )
    session.temp_frames[name.strip("`").lower()] = frame


def _create_view(frame: DataFrame, name: str) -> None:
    command = CreateView(child=frame._plan, name=name, is_global=False, replace=True).command(
        session=frame._session.client
    )
    frame._session.client.execute_command(command)


def _blocked(name: str) -> Callable[..., Any]:
    def blocked(*_args: Any, **_kwargs: Any) -> Any:
        raise PipelineCodeError(
            f"Pipeline code called {name}",
            consequence="Dataset functions are called while a pipeline is planned, so they must not change anything",
            next_step="Return a DataFrame and leave writing to the pipeline; set values in the pipeline's configuration",
        )

    return blocked


def _resolving(original: Callable[..., Any], resolve: Resolver) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        return original(
            *(_resolved(a, resolve) for a in args), **{k: _resolved(v, resolve) for k, v in kwargs.items()}
        )

    return call


def _resolved(value: Any, resolve: Resolver) -> Any:
    if not isinstance(value, proto.Plan) or not value.HasField("root"):
        return value
    plan = proto.Plan()
    plan.root.CopyFrom(resolve(value.root))
    return plan
