"""Events in the shape of Databricks' pipeline event log (documentation page "Pipeline event log schema").

Event types and the members of `details` are those of Databricks. One event type is this runtime's own:
`source_files` lists the input files that a batch took, with rows and bytes, because Databricks keeps that in a
table function (`cloud_files_state`) that does not exist here.
"""

from __future__ import annotations

import json
import traceback
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from local_workspace.dlt_runtime.spec import ExpectationCount, SourceFile

Event = dict[str, Any]
OWN_EVENT_TYPES = ("source_files",)
_FILES_PER_EVENT = 1000


@dataclass(frozen=True)
class EventFactory:
    """Makes the events of one update."""

    pipeline_id: str
    pipeline_name: str
    update_id: str

    def make(
        self,
        event_type: str,
        message: str,
        details: Mapping[str, Any],
        *,
        level: str = "INFO",
        dataset: str | None = None,
        flow: str | None = None,
        batch: int | None = None,
        error: BaseException | None = None,
    ) -> Event:
        """Make an event; `details` is kept under the name of the event type."""
        return {
            "id": str(uuid.uuid4()),
            "origin": {
                "pipeline_id": self.pipeline_id,
                "pipeline_name": self.pipeline_name,
                "pipeline_type": "WORKSPACE",
                "update_id": self.update_id,
                "dataset_name": dataset,
                "flow_name": flow,
                "batch_id": batch,
            },
            "timestamp": datetime.now(timezone.utc).isoformat(),
            "message": message,
            "level": level,
            "maturity_level": "EVOLVING" if event_type in OWN_EVENT_TYPES else "STABLE",
            "error": None if error is None else _error(error),
            "details": json.dumps({event_type: details}, ensure_ascii=False),
            "event_type": event_type,
        }

    def create_update(
        self,
        *,
        cause: str,
        run_id: str | None,
        full_refresh: bool,
        full_refresh_selection: Sequence[str],
        validate_only: bool,
    ) -> Event:
        """Return the first event of an update."""
        details = {
            "cause": cause,
            "run_id": run_id,
            "full_refresh": full_refresh,
            "full_refresh_selection": list(full_refresh_selection),
            "validate_only": validate_only,
        }
        return self.make("create_update", f"Update {self.update_id[:6]} started by {cause}.", details)

    def update_progress(
        self, state: str, *, error: BaseException | None = None, cause: str | None = None
    ) -> Event:
        """Return a change of the update's state."""
        details: dict[str, Any] = {"state": state}
        if cause:
            details["cancellation_cause"] = cause
        level = "ERROR" if state == "FAILED" else "WARN" if state == "CANCELED" else "INFO"
        message = f"Update {self.update_id[:6]} is {state}." + (f" {cause}" if cause else "")
        return self.make("update_progress", message, details, level=level, error=error)

    def flow_status(
        self,
        dataset: str,
        flow: str,
        status: str,
        *,
        error: BaseException | None = None,
        reason: str | None = None,
    ) -> Event:
        """Return a change of a flow's status."""
        level = {"FAILED": "ERROR", "SKIPPED": "WARN"}.get(status, "INFO")
        message = f"Flow '{flow}' is {status}." + (f" {reason}" if reason else "")
        if error is not None:
            message = f"Flow '{flow}' has FAILED: {error}"
        return self.make(
            "flow_progress", message, {"status": status}, level=level, dataset=dataset, flow=flow, error=error
        )

    def flow_note(self, dataset: str, flow: str, text: str) -> Event:
        """Return something about a flow that its author should know."""
        return self.make(
            "flow_progress", text, {"status": "PLANNING"}, level="WARN", dataset=dataset, flow=flow
        )

    def flow_batch(
        self,
        dataset: str,
        flow: str,
        batch: int,
        *,
        output_rows: int,
        upserted: int = 0,
        deleted: int = 0,
        dropped: int | None = None,
        rules: Sequence[ExpectationCount] = (),
        backlog: Mapping[str, int] | None = None,
    ) -> Event:
        """Return what one batch of a flow did; data quality as Databricks counts it."""
        details: dict[str, Any] = {
            "status": "RUNNING",
            "metrics": {
                "num_output_rows": output_rows,
                "num_upserted_rows": upserted,
                "num_deleted_rows": deleted,
                **(backlog or {}),
            },
        }
        if rules or dropped is not None:
            details["data_quality"] = {
                "dropped_records": dropped or 0,
                "expectations": [
                    {
                        "name": r.name,
                        "dataset": dataset,
                        "passed_records": r.passed,
                        "failed_records": r.failed,
                    }
                    for r in rules
                ],
            }
        return self.make(
            "flow_progress",
            f"Flow '{flow}' has written {output_rows} rows.",
            details,
            level="METRICS",
            dataset=dataset,
            flow=flow,
            batch=batch,
        )

    def source_files(self, dataset: str, flow: str, batch: int, files: Sequence[SourceFile]) -> list[Event]:
        """Return which files a batch took; several events if there are many."""
        events = []
        for start in range(0, len(files), _FILES_PER_EVENT):
            part = files[start : start + _FILES_PER_EVENT]
            listed = [{"path": f.path, "rows": f.rows, "bytes": f.size} for f in part]
            events.append(
                self.make(
                    "source_files",
                    f"Flow '{flow}' took {len(part)} files.",
                    {"batch_id": batch, "output_dataset": dataset, "files": listed},
                    dataset=dataset,
                    flow=flow,
                    batch=batch,
                )
            )
        return events

    def file_faults(self, dataset: str, flow: str, files: Sequence[SourceFile]) -> list[Event]:
        """Return files that could not be read, each by name."""
        return [
            self.make(
                "source_files",
                f"Flow '{flow}' could not read {f.path}: {f.fault}",
                {
                    "output_dataset": dataset,
                    "files": [{"path": f.path, "rows": 0, "bytes": f.size, "fault": f.fault}],
                },
                level="WARN",
                dataset=dataset,
                flow=flow,
            )
            for f in files
        ]

    def planning(
        self, dataset: str, flow: str, chosen: str, issues: Sequence[str], applicable: Sequence[str] = ()
    ) -> Event:
        """Return how a materialized view is refreshed, and why."""
        techniques = [
            {
                "maintenance_type": f"MAINTENANCE_TYPE_{chosen}",
                "is_chosen": True,
                "is_applicable": True,
                "incrementalization_issues": [{"issue_type": issue} for issue in issues],
            },
            *(
                {"maintenance_type": f"MAINTENANCE_TYPE_{kind}", "is_chosen": False, "is_applicable": True}
                for kind in applicable
            ),
        ]
        return self.make(
            "planning_information",
            f"Flow '{flow}' has been planned to be executed as {chosen}.",
            {"technique_information": techniques},
            dataset=dataset,
            flow=flow,
        )


def _error(error: BaseException) -> dict[str, Any]:
    chain: list[dict[str, Any]] = []
    current: BaseException | None = error
    while current is not None and len(chain) < 5:
        frames = traceback.extract_tb(current.__traceback__)[-20:]
        chain.append(
            {
                "class_name": f"{type(current).__module__}.{type(current).__name__}",
                "message": str(current)[:8000],
                "stack": [
                    {
                        "declaring_class": "",
                        "method_name": f.name,
                        "file_name": f.filename.rsplit("/", 1)[-1],
                        "line_number": f.lineno or 0,
                    }
                    for f in frames
                ],
            }
        )
        current = current.__cause__
    return {"fatal": True, "exceptions": chain}
