"""The Databricks bundle (`databricks.yml`, `resources/`) as data: read it, resolve it, check it offline."""

from orders.bundle_check.errors import BundleError
from orders.bundle_check.loader import Bundle

__all__ = ["Bundle", "BundleError"]
