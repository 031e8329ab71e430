"""Where a session is (USE, SET), and catalogs, schemas and volumes (CREATE, DROP)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_workspace.catalog import Securable
from local_workspace.sql.sql_error import SqlError, not_supported, parse_error
from local_workspace.sql.statement_reader import StatementReader, property_pairs
from local_workspace.sql_warehouse.result import Result
from local_workspace.sql_warehouse.statements.handlers import Handlers

if TYPE_CHECKING:
    from local_workspace.sql_warehouse.session import Session


def use_catalog(session: Session, reader: StatementReader) -> Result:
    """USE CATALOG name, SET CATALOG name."""
    reader.next()
    reader.expect("CATALOG")
    catalog = reader.name()
    reader.end()
    session.require_catalog(catalog)
    session.catalog_name, session.schema_name = catalog.lower(), "default"
    return Result.empty()


def use_schema(session: Session, reader: StatementReader) -> Result:
    """USE [SCHEMA | DATABASE | NAMESPACE] name."""
    reader.expect("USE")
    for word in ("SCHEMA", "DATABASE", "NAMESPACE"):
        if reader.accept(word):
            break
    catalog, schema = session.schema_parts(reader.dotted_name())
    reader.end()
    session.require_schema(catalog, schema)
    session.catalog_name, session.schema_name = catalog.lower(), schema.lower()
    return Result.empty()


# Settings that change nothing in what a local statement computes. Any other one is refused, so that nobody relies on it.
_HARMLESS_SETTINGS = frozenset(
    {
        "query_tags",
        "statement_timeout",
        "use_cached_result",
        "spark.sql.ansi.enabled",
        "ansi_mode",
        "timezone",
        "time zone",
        "spark.sql.session.timezone",
        "enable_photon",
        # Of which groups the one user is a member: to see what others see through row filters and masks.
        "local_workspace.groups",
        # What databricks-sql-connector sends of itself.
        "spark.thriftserver.arrowbasedrowset.timestampasstring",
    }
)
_ONLY_VALUES = {
    "ansi_mode": ("true",),
    "spark.sql.ansi.enabled": ("true",),
    "timezone": ("utc", "etc/utc"),
    "time zone": ("utc", "etc/utc"),
    "spark.sql.session.timezone": ("utc", "etc/utc"),
}


def set_parameter(session: Session, reader: StatementReader) -> Result:
    """SET key = value, SET TIME ZONE value, and SET to show what is set."""
    import pyarrow as pa  # noqa: PLC0415

    reader.expect("SET")
    columns = [("key", pa.string()), ("value", pa.string())]
    if reader.at_end:
        return Result.of_rows(columns, sorted(session.settings.items()))
    if reader.accept("TIME", "ZONE"):
        key, value = "time zone", reader.rest()
    else:
        key, _, value = reader.rest().partition("=")
        key, value = key.strip().strip("`"), value.strip()
        if not value:
            return Result.of_rows(columns, [(key, session.settings.get(key, "<undefined>"))])
    value = value.strip("'\"; ")
    check_setting(key, value)
    session.settings[key] = value
    return Result.of_rows(columns, [(key, value)])


def check_setting(key: str, value: str) -> None:
    """Refuse a setting that would change what a statement does on Databricks and does not here.

    Args:
        key: As of SET, or of a session's configuration.
        value: Without quotes.

    Raises:
        SqlError: UNSUPPORTED_FEATURE.
    """
    if key.lower() not in _HARMLESS_SETTINGS:
        raise not_supported(
            f"SET {key}", "SQL warehouses on Databricks refuse most Spark settings too; omit it."
        )
    allowed = _ONLY_VALUES.get(key.lower())
    if allowed and value.lower() not in allowed:
        raise not_supported(
            f"SET {key} = {value}", f"The local warehouse always works with {allowed[0].upper()}."
        )


def create_schema(session: Session, reader: StatementReader) -> Result:
    """CREATE SCHEMA [IF NOT EXISTS] name [COMMENT ..] [WITH DBPROPERTIES (..)]."""
    reader.expect("CREATE")
    reader.next()
    if_not_exists = reader.accept("IF", "NOT", "EXISTS")
    catalog, schema = session.schema_parts(reader.dotted_name())
    comment, properties = None, {}
    while not reader.at_end:
        if reader.accept("COMMENT"):
            comment = reader.string()
        elif reader.accept("WITH", "DBPROPERTIES"):
            properties = property_pairs(reader.parenthesised())
        elif reader.sees("MANAGED", "LOCATION") or reader.sees("LOCATION"):
            raise not_supported("a location of a schema", "Omit it: the workspace decides where tables are.")
        else:
            raise parse_error(repr(reader.next().text), reader.sql)
    session.require_catalog(catalog)
    exists = schema.lower() in {(s.schema or "").lower() for s in session.catalog.schemas(catalog)}
    if exists and not if_not_exists:
        raise SqlError(
            "SCHEMA_ALREADY_EXISTS", f"Cannot create schema {schema} because it already exists.", "42P06"
        )
    if not exists:
        session.catalog.create_schema(catalog, schema, if_not_exists=True, comment=comment)
        if properties:
            session.catalog.set_properties(Securable("SCHEMA", (catalog, schema)), properties)
    return Result.empty()


def drop_schema(session: Session, reader: StatementReader) -> Result:
    """DROP SCHEMA [IF EXISTS] name [RESTRICT | CASCADE]."""
    reader.expect("DROP")
    reader.next()
    if_exists = reader.accept("IF", "EXISTS")
    catalog, schema = session.schema_parts(reader.dotted_name())
    cascade = reader.accept("CASCADE")
    reader.accept("RESTRICT")
    reader.end()
    if if_exists and schema.lower() not in {
        (s.schema or "").lower() for s in session.catalog.schemas(catalog)
    }:
        return Result.empty()
    session.require_schema(catalog, schema)
    if session.catalog.tables(catalog, schema) and not cascade:
        raise SqlError(
            "SCHEMA_NOT_EMPTY",
            f"Cannot drop the schema {schema} because it is not empty. Use CASCADE.",
            "2BP01",
        )
    session.catalog.drop_schema(catalog, schema, cascade=cascade, if_exists=True)
    return Result.empty()


def create_catalog(session: Session, reader: StatementReader) -> Result:
    """CREATE CATALOG [IF NOT EXISTS] name [COMMENT ..]."""
    reader.expect("CREATE", "CATALOG")
    if_not_exists = reader.accept("IF", "NOT", "EXISTS")
    name = reader.name()
    comment = reader.string() if reader.accept("COMMENT") else None
    if reader.sees("MANAGED", "LOCATION"):
        raise not_supported("a location of a catalog", "Omit it: the workspace decides where tables are.")
    reader.end()
    exists = name.lower() in {c.catalog.lower() for c in session.catalog.catalogs()}
    if exists and not if_not_exists:
        raise SqlError(
            "CATALOG_ALREADY_EXISTS", f"Cannot create catalog {name} because it already exists.", "42P06"
        )
    session.catalog.create_catalog(name, if_not_exists=True, comment=comment)
    session.catalog.create_schema(name, "default", if_not_exists=True)
    return Result.empty()


def create_volume(session: Session, reader: StatementReader) -> Result:
    """CREATE VOLUME [IF NOT EXISTS] name [COMMENT ..]."""
    reader.expect("CREATE", "VOLUME")
    if_not_exists = reader.accept("IF", "NOT", "EXISTS")
    name = session.table_name(reader.dotted_name())
    comment = reader.string() if reader.accept("COMMENT") else None
    reader.end()
    session.require_schema(name.catalog, name.schema)
    session.catalog.create_volume(
        name.catalog, name.schema, name.table, if_not_exists=if_not_exists, comment=comment
    )
    return Result.empty()


def drop_volume(session: Session, reader: StatementReader) -> Result:
    """DROP VOLUME [IF EXISTS] name: with its files."""
    reader.expect("DROP", "VOLUME")
    if_exists = reader.accept("IF", "EXISTS")
    name = session.table_name(reader.dotted_name())
    reader.end()
    session.catalog.drop_volume(name.catalog, name.schema, name.table, if_exists=if_exists)
    return Result.empty()


HANDLERS: Handlers = {
    ("USE", "CATALOG"): use_catalog,
    ("SET", "CATALOG"): use_catalog,
    ("USE",): use_schema,
    ("SET",): set_parameter,
    ("CREATE", "SCHEMA"): create_schema,
    ("CREATE", "DATABASE"): create_schema,
    ("DROP", "SCHEMA"): drop_schema,
    ("DROP", "DATABASE"): drop_schema,
    ("CREATE", "CATALOG"): create_catalog,
    ("CREATE", "VOLUME"): create_volume,
    ("DROP", "VOLUME"): drop_volume,
}
