"""What a workspace must have: the one object that describes a project to the local workspace."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from local_workspace.errors import InputError
from local_workspace.layout import check_name


@dataclass(frozen=True)
class WorkspaceOptions:
    """What has to be there when a command attaches to a workspace.

    Args:
        catalogs: Made if missing. The first is the default.
        schemas: Made in each of the catalogs.
        volumes: Catalog, schema and volume names, created if missing.
        start_postgres: Whether a Postgres server is wanted. None is started where `POSTGRES_HOST` names
        another.
        postgres_database: Made if missing.
        postgres_user: Owns the embedded server; chosen when its data folder is made.
        linger_seconds: How long a workspace that is not kept up stays for the next command.
        full_bytes: Memory from which an engine that nobody uses gives way to a fresh one: Sail 0.7.2 keeps about 100 kB
            of each statement until it ends.
    """

    catalogs: tuple[str, ...]
    schemas: tuple[str, ...] = ()
    volumes: tuple[tuple[str, str, str], ...] = ()
    start_postgres: bool = True
    postgres_database: str = "metrics"
    postgres_user: str = "metrics"
    linger_seconds: float = 1.0
    full_bytes: int = 400_000_000

    def __post_init__(self) -> None:
        if not self.catalogs:
            raise InputError("A workspace needs a catalog", got="none")
        for catalog in self.catalogs:
            check_name(catalog, "catalog")
        for schema in self.schemas:
            check_name(schema, "schema")
        for volume in self.volumes:
            if len(volume) != 3:
                raise InputError("A volume is named by catalog, schema and volume", got=volume)

    def to_json(self) -> str:
        """Write the options for another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> WorkspaceOptions:
        """Read what :meth:`to_json` wrote."""
        parts = json.loads(text)
        return cls(
            catalogs=tuple(parts["catalogs"]),
            schemas=tuple(parts["schemas"]),
            volumes=tuple((catalog, schema, volume) for catalog, schema, volume in parts["volumes"]),
            start_postgres=parts["start_postgres"],
            postgres_database=parts["postgres_database"],
            postgres_user=parts["postgres_user"],
            linger_seconds=parts["linger_seconds"],
            full_bytes=parts.get("full_bytes", cls.full_bytes),
        )
