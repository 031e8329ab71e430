"""The shapes of a bundle's YAML: which keys each mapping may have, and the values of each key.

One module per part of a bundle; `kinds` has what they share, and `compare` turns what pydantic rejects into findings.
"""

from orders.bundle_check.shapes.bundle import BundleFile, Resources
from orders.bundle_check.shapes.compare import Comparison

__all__ = ["BundleFile", "Comparison", "Resources"]
