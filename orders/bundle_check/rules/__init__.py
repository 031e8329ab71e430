"""`orders bundle check`: mistakes in the bundle that would otherwise appear only when it is deployed, or never.

One family of rules per file; each yields findings and changes nothing.
"""

from orders.bundle_check.findings import Finding
from orders.bundle_check.rules.run import check_bundle

__all__ = ["Finding", "check_bundle"]
