"""A real Postgres server for one workspace: TCP on 127.0.0.1, SCRAM, a random password, no administrator needed."""

from local_workspace.endpoints import PostgresEndpoint
from local_workspace.postgres.server import PostgresServer, external_endpoint, read_endpoint

__all__ = ["PostgresEndpoint", "PostgresServer", "external_endpoint", "read_endpoint"]
