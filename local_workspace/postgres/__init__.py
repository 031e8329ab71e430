"""A real Postgres server for one workspace: TCP on 127.0.0.1, SCRAM, random password, no administrator."""

from local_workspace.endpoints import PostgresEndpoint
from local_workspace.postgres.server import PostgresServer, ensure_database, external_endpoint, read_endpoint

__all__ = ["PostgresEndpoint", "PostgresServer", "ensure_database", "external_endpoint", "read_endpoint"]
