"""Schema `metrics` as numbered SQL files, each applied once, in order, by whoever may.

The files are in `ddl/`. They record themselves in `metrics._migrations`, so psql can apply them too:
`psql -1 -f 0001_state.sql -f ...`. `roles.sql` has no number: roles belong to the whole server and may be
made before or after, so it is run again whenever something was applied.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812  # a class, in lower case

from dlt_ingest.metrics.postgres.errors import SchemaDriftError
from dlt_ingest.metrics.postgres.settings import PostgresSettings

_FILE = re.compile(r"(\d{4})_(\w+)\.sql$")


@dataclass(frozen=True)
class Migration:
    """One numbered file of `ddl/`.

    Attributes:
        version: Its number; versions are applied in this order.
        name: What it is about.
        text: Its SQL.
    """

    version: int
    name: str
    text: str


@lru_cache(maxsize=1)
def all_migrations() -> tuple[Migration, ...]:
    """Read the numbered files of the package, in order."""
    found = []
    for entry in files("dlt_ingest.metrics.postgres").joinpath("ddl").iterdir():
        match = _FILE.match(entry.name)
        if match:
            found.append(Migration(int(match.group(1)), match.group(2), entry.read_text(encoding="utf-8")))
    return tuple(sorted(found, key=lambda migration: migration.version))


def applied_versions(link: Connection) -> set[int]:
    """Return the versions that this database has; none if schema `metrics` does not exist or cannot be read."""
    with link.cursor() as cursor:
        # By way of pg_class, not to_regclass(): that one answers from a cache, which another exporter that has just
        # made the table while this one waited for its lock does not reach.
        cursor.execute(
            "select has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')"
            " from pg_namespace n join pg_class c on c.relnamespace = n.oid"
            " where n.nspname = 'metrics' and c.relname = '_migrations'"
        )
        readable = cursor.fetchone()
        if readable is None or not readable[0]:
            return set()
        cursor.execute("select version from metrics._migrations")
        return {version for (version,) in cursor.fetchall()}


def migrate(link: Connection, settings: PostgresSettings) -> list[Migration]:
    """Bring schema `metrics` up to the version of this package, in one transaction; do nothing if it is.

    Args:
        link: A connection without an open transaction.
        settings: For the role's name in messages.

    Returns:
        The migrations that were applied now.

    Raises:
        SchemaDriftError: If something is missing and the role may not make it.
    """
    wanted = all_migrations()
    missing = {item.version for item in wanted} - applied_versions(link)
    link.rollback()
    if not missing:
        return []
    applied: list[Migration] = []
    try:
        with link, link.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(hashtextextended('metrics._migrations', 0))")
            present = applied_versions(link)
            for item in wanted:
                if item.version not in present:
                    cursor.execute(item.text)
                    applied.append(item)
            if applied:
                cursor.execute(_roles())
    except psycopg2.errors.InsufficientPrivilege as error:
        raise SchemaDriftError(
            f"Schema metrics at {settings.address} lacks versions that this export needs, and {settings.user}"
            " may not create them",
            got=f"missing {', '.join(map(str, sorted(missing)))}; {error.diag.message_primary}",
            allowed="all versions in dlt_ingest/metrics/postgres/ddl",
            consequence="No metrics were exported",
            next_step="Let a role that owns the schema, or may create it, run `orders export` once, or apply"
            " the files with psql in order; then grant metrics_exporter to this role",
        ) from None
    return applied


def _roles() -> str:
    return files("dlt_ingest.metrics.postgres").joinpath("ddl/roles.sql").read_text(encoding="utf-8")
