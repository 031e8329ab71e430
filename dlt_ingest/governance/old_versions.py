"""Old versions of Delta tables: the files that only they need, and what the logs tell of rows that are gone.

A DELETE in Delta leaves the rows in the files of the version before, their smallest and largest values in the log, and
its own condition in the log's commit. VACUUM removes the first; on Databricks the log's entries go after
`delta.logRetentionDuration`. Here the id is masked in the log at once.

The commits themselves stay: streams go on from their version, and a missing one would make them start again.
"""

from __future__ import annotations

from pathlib import Path

from deltalake import DeltaTable

from dlt_ingest.governance.customer_records import CustomerId
from dlt_ingest.governance.landing_erasure import replace_file


def forget_versions(table: Path, customer: CustomerId) -> None:
    """Remove all files of a table that its newest version does not need, and the id from its log.

    Nobody may write to the table meanwhile: a file that is not committed yet would be removed too.
    """
    delta = DeltaTable(str(table))
    delta.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True)
    log = table / "_delta_log"
    checkpoints = list(log.glob("*.checkpoint*.parquet"))
    if checkpoints:
        # A checkpoint repeats the statistics of the files that it lists, so an old one is as telling as the commits.
        DeltaTable(str(table)).create_checkpoint()
        newest = f"{DeltaTable(str(table)).version():020d}."
        for path in checkpoints:
            if not path.name.startswith(newest):
                path.unlink(missing_ok=True)
    for path in log.glob("*.json"):
        content = path.read_bytes()
        if customer.trace.search(content):
            replace_file(path, customer.masked(content))


def delta_tables(warehouse: Path) -> list[Path]:
    """Return the folders of all Delta tables below a folder, in the order of their names."""
    return sorted(log.parent for log in warehouse.rglob("_delta_log") if log.is_dir())
