"""The event log table: events leave the bookkeeping for a Delta table, each exactly once.

An event is first kept in the same SQLite transaction as what it tells of, so a killed process neither loses
nor doubles it. It is then written to the table with the number of the last event as application transaction:
whoever flushes next sees what is there.
"""

from __future__ import annotations

import contextlib
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake
from deltalake.exceptions import DeltaError
from deltalake.transaction import CommitProperties, Transaction

from local_workspace.catalog import Catalog, TableName
from local_workspace.crash_points import crash_point
from local_workspace.delta.log import committed_batch, open_table
from local_workspace.delta.table_lock import table_lock
from local_workspace.dlt_runtime.record.state import PipelineState
from local_workspace.dlt_runtime.refresh.compaction import compact_files
from local_workspace.dlt_runtime.spec import PipelineSpec
from local_workspace.layout import WorkspaceLayout

_STACK = pa.struct(
    [
        ("declaring_class", pa.string()),
        ("method_name", pa.string()),
        ("file_name", pa.string()),
        ("line_number", pa.int64()),
    ]
)
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        (
            "sequence",
            pa.struct(
                [
                    ("data_plane_id", pa.struct([("instance", pa.string()), ("seq_no", pa.int64())])),
                    ("control_plane_seq_no", pa.int64()),
                ]
            ),
        ),
        (
            "origin",
            pa.struct(
                [
                    ("cloud", pa.string()),
                    ("region", pa.string()),
                    ("org_id", pa.int64()),
                    ("user_id", pa.int64()),
                    ("pipeline_id", pa.string()),
                    ("pipeline_type", pa.string()),
                    ("pipeline_name", pa.string()),
                    ("cluster_id", pa.string()),
                    ("update_id", pa.string()),
                    ("maintenance_id", pa.string()),
                    ("table_id", pa.string()),
                    ("dataset_name", pa.string()),
                    ("flow_id", pa.string()),
                    ("flow_name", pa.string()),
                    ("batch_id", pa.int64()),
                    ("request_id", pa.string()),
                    ("uc_resource_id", pa.string()),
                ]
            ),
        ),
        ("timestamp", pa.timestamp("us", "UTC")),
        ("message", pa.string()),
        ("level", pa.string()),
        ("maturity_level", pa.string()),
        (
            "error",
            pa.struct(
                [
                    ("fatal", pa.bool_()),
                    (
                        "exceptions",
                        pa.list_(
                            pa.struct(
                                [
                                    ("class_name", pa.string()),
                                    ("message", pa.string()),
                                    ("stack", pa.list_(_STACK)),
                                ]
                            )
                        ),
                    ),
                ]
            ),
        ),
        ("details", pa.string()),
        ("event_type", pa.string()),
    ]
)
_COMMENTS = {
    "id": "Unique id of the event",
    "sequence": "Order of the events of a pipeline",
    "origin": "Where the event comes from: pipeline, update, dataset, flow, batch",
    "timestamp": "When it happened (UTC)",
    "message": "What happened, for people",
    "level": "INFO, WARN, ERROR or METRICS",
    "maturity_level": "Whether the shape of details is STABLE",
    "error": "The error with its stack trace, if there was one",
    "details": "JSON text whose single member has the name in event_type",
    "event_type": "Kind of event",
}


class EventLog:
    """The published event log of a pipeline."""

    def __init__(
        self, spec: PipelineSpec, layout: WorkspaceLayout, catalog: Catalog, state: PipelineState
    ) -> None:
        self._state, self._catalog, self._layout = state, catalog, layout
        self._name = None
        if spec.event_log is not None:
            self._name = TableName(spec.event_log.catalog, spec.event_log.schema, spec.event_log.name)
            self._location: Path = layout.table_path(*self._name.key)
        # The pipeline id starts again with the bookkeeping, and so do the numbers of events.
        self._application = f"{spec.name}/{state.pipeline_id}/event_log"

    def flush(self) -> int:
        """Write the events that the table does not have yet; return how many."""
        waiting = self._state.unflushed_events()
        if not waiting:
            return 0
        if self._name is None:
            self._state.mark_flushed(waiting[-1][0])
            return 0
        done = committed_batch(self._location, self._application) or 0
        new = [(sequence, event) for sequence, event in waiting if sequence > done]
        if new:
            crash_point("events_staged")
            self._append(new)
            crash_point("events_committed")
        self._publish()
        self._state.mark_flushed(waiting[-1][0])
        return len(new)

    def _append(self, events: list[tuple[int, dict[str, Any]]]) -> None:
        rows = [
            event
            | {
                "sequence": {
                    "data_plane_id": {"instance": "local", "seq_no": sequence},
                    "control_plane_seq_no": sequence,
                },
                "timestamp": datetime.fromisoformat(event["timestamp"]),
            }
            for sequence, event in events
        ]
        assert self._name is not None  # noqa: S101
        with table_lock(self._layout, self._name):
            write_deltalake(
                str(self._location),
                pa.Table.from_pylist(rows, schema=SCHEMA),
                mode="append",
                commit_properties=CommitProperties(
                    app_transactions=[Transaction(self._application, events[-1][0])]
                ),
            )
            with contextlib.suppress(
                DeltaError
            ):  # the events are there; small files only slow their readers down
                compact_files(self._location)

    def _publish(self) -> None:
        assert self._name is not None  # noqa: S101
        if self._catalog.get(self._name) is None and open_table(self._location) is not None:
            self._catalog.create_schema(self._name.catalog, self._name.schema, if_not_exists=True)
            self._catalog.put_table(
                self._name,
                kind="TABLE",
                location=self._location,
                comment="Event log of the pipeline",
                column_comments=_COMMENTS,
            )
