"""The Databricks bundle (`databricks.yml`, `resources/`) as data: read it, resolve it, check it offline."""

from dlt_ingest.bundle.errors import BundleError
from dlt_ingest.bundle.loader import Bundle

__all__ = ["Bundle", "BundleError"]
