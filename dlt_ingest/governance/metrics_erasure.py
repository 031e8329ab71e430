"""One customer out of the metrics database: rows that Postgres had rejected, and exported tables with a customer id.

The models of this project export sums, so the export itself takes the customer out of them. A dead letter keeps a row
as it was, and a model added later may have a customer id.
"""

from __future__ import annotations

from contextlib import closing

from psycopg2 import sql

from dlt_ingest.governance.customer_records import CustomerId
from dlt_ingest.metrics.postgres.connection import connect
from dlt_ingest.metrics.postgres.settings import PostgresSettings

_LETTERS = "metrics._dead_letter where payload ~ %(pattern)s or message ~ %(pattern)s"


def metrics_rows(settings: PostgresSettings, customer: CustomerId) -> int:
    """Count the customer's rows in schema metrics; 0 before the first export."""
    return _each(settings, customer, "select count(*) from ")


def erase_from_metrics(settings: PostgresSettings, customer: CustomerId) -> int:
    """Delete the customer's rows in schema metrics; return how many there were."""
    return _each(settings, customer, "delete from ")


def rewrite_storage(settings: PostgresSettings) -> None:
    """Make the server forget deleted rows on disk, in its tables and in its write-ahead log.

    Only a superuser of the server may do all of it, as the local workspace's user is; elsewhere autovacuum and the
    server's own retention do it in time.
    """
    with closing(connect(settings)) as link:
        link.autocommit = True
        with link.cursor() as cursor:
            cursor.execute("vacuum full metrics._dead_letter")
            cursor.execute("alter system set wal_recycle = off")
            try:
                cursor.execute("select pg_reload_conf()")
                for _ in range(2):
                    cursor.execute("select pg_switch_wal()")
                    cursor.execute("checkpoint")
            finally:
                cursor.execute("alter system reset wal_recycle")
                cursor.execute("select pg_reload_conf()")


def _each(settings: PostgresSettings, customer: CustomerId, verb: str) -> int:
    found = 0
    values = {"pattern": customer.pattern, "customer_id": customer.value}
    with closing(connect(settings)) as link, link, link.cursor() as cursor:
        cursor.execute(
            "select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " join pg_attribute a on a.attrelid = c.oid"
            " where n.nspname = 'metrics' and c.relkind = 'r' and a.attname = 'customer_id' and not a.attisdropped"
        )
        targets = [
            sql.SQL("{} where trim(customer_id::text) = %(customer_id)s").format(
                sql.Identifier("metrics", name)
            )
            for (name,) in cursor.fetchall()
        ]
        cursor.execute("select to_regclass('metrics._dead_letter') is not null")
        if cursor.fetchone() == (True,):
            targets.append(sql.SQL(_LETTERS))
        for target in targets:
            cursor.execute(sql.SQL(verb) + target, values)
            counted = cursor.fetchone() if verb.startswith("select") else (cursor.rowcount,)
            found += 0 if counted is None else int(counted[0])
    return found
