"""Where things are in the volume of the orders."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OrdersVolume:
    """The folders below `/Volumes/<catalog>/<schema>/<volume>/orders/`, as URIs.

    Auto Loader keeps checkpoints and inferred schemas of a pipeline by itself; `checkpoints` and `schema` are
    for streams that run outside of it (a notebook that reads landing with `cloudFiles`).

    Attributes:
        catalog: Catalog of the volume.
        schema: Schema of the volume.
        volume: Name of the volume.
    """

    catalog: str
    schema: str
    volume: str

    @property
    def root(self) -> str:
        """Folder of all orders files."""
        return f"/Volumes/{self.catalog}/{self.schema}/{self.volume}/orders"

    @property
    def landing(self) -> str:
        """Folder in which files of orders arrive; each appears whole and is never changed afterwards."""
        return f"{self.root}/landing"

    @property
    def originals(self) -> str:
        """Folder of the files, by their names, that were turned into batches on their way into landing; never ingested."""
        return f"{self.root}/originals"

    @property
    def checkpoints(self) -> str:
        """Folder for checkpoints of streams outside the pipeline."""
        return f"{self.root}/checkpoints"

    @property
    def schema_location(self) -> str:
        """Folder for inferred schemas of streams outside the pipeline."""
        return f"{self.root}/schema"

    @property
    def generator(self) -> str:
        """Folder of the generator's state and manifests; outside landing, so that it is never ingested."""
        return f"{self.root}/generator"

    @property
    def folders(self) -> tuple[str, ...]:
        """All folders of the layout, for whoever prepares the volume."""
        return (self.landing, self.checkpoints, self.schema_location, self.generator)
