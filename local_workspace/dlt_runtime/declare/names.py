"""What a name in pipeline code means: a view of the pipeline, a dataset of the pipeline, or a table of the workspace."""

from __future__ import annotations

from local_workspace.catalog import TableName
from local_workspace.dlt_runtime.declare.registry import Output, Registry
from local_workspace.errors import PipelineCodeError


class Names:
    """Resolves the names that queries use: views of the pipeline, and tables in its catalog and schema."""

    def __init__(self, registry: Registry, catalog: str, schema: str) -> None:
        self._catalog, self._schema = catalog, schema
        self.views = {o.name.lower(): o for o in registry.outputs if o.kind == "VIEW"}
        self.tables: dict[TableName, Output] = {}
        # Sinks into tables of the workspace -> these.
        self.written: dict[TableName, TableName] = {}
        for output in registry.outputs:
            if output.kind == "VIEW":
                if "." in output.name:
                    raise PipelineCodeError(
                        f"View {output.name} has a qualified name",
                        got=f"at {output.location}",
                        allowed="one level: a view exists inside its pipeline only",
                    )
                continue
            name = self.table(output.name)
            if name in self.tables:
                raise PipelineCodeError(
                    f"Dataset {name} is declared twice",
                    got=f"{self.tables[name].location} and {output.location}",
                )
            if output.name.lower() in self.views:
                raise PipelineCodeError(
                    f"Dataset {output.name} and a view have the same name", got=f"{output.location}"
                )
            self.tables[name] = output
            if output.sink is not None and output.sink.table is not None:
                self.written[name] = self.table(output.sink.table)

    def table(self, text: str) -> TableName:
        """Give the full table name of a name of one to three levels.

        `LIVE.` stands for the pipeline's schema.
        """
        bare = text.replace("`", "")
        if bare.lower().startswith("live.") and bare.count(".") == 1:
            bare = bare.split(".", 1)[1]
            return TableName.parse(f"`{bare}`", catalog=self._catalog, schema=self._schema)
        return TableName.parse(text, catalog=self._catalog, schema=self._schema)

    def key(self, text: str) -> str:
        """Give the key of what a name means: a view of the pipeline first, then a table."""
        bare = text.replace("`", "").lower().removeprefix("live.")
        if bare in self.views:
            return bare
        return ".".join(self.table(text).key)
