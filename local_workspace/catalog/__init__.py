"""What Unity Catalog knows on Databricks, in one SQLite file: names, comments, tags, constraints, grants.

The columns of a Delta table are not in it: they are read from the table's own log, so they cannot differ from
the data.
"""

from local_workspace.catalog.catalog import Catalog
from local_workspace.catalog.functions import refuse_policies
from local_workspace.catalog.names import Securable, TableName, quote
from local_workspace.catalog.records import (
    Anomaly,
    Column,
    Constraint,
    Function,
    Grant,
    Parameter,
    Policy,
    SchemaInfo,
    Table,
    Volume,
)

__all__ = [
    "Anomaly",
    "Catalog",
    "Column",
    "Constraint",
    "Function",
    "Grant",
    "Parameter",
    "Policy",
    "SchemaInfo",
    "Securable",
    "Table",
    "TableName",
    "Volume",
    "quote",
    "refuse_policies",
]
