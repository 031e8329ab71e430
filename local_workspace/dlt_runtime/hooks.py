"""Calling the hooks that a pipeline declares."""

from __future__ import annotations

import json

from local_workspace.dlt_runtime.declare.registry import EventHook
from local_workspace.dlt_runtime.record.events import Event


class Hook:
    """A hook in one update."""

    def __init__(self, hook: EventHook) -> None:
        self._hook, self._failures, self._off = hook, 0, False

    def call(self, event: Event) -> str | None:
        """Let the function see an event; what it raises is given back as a sentence and stops nothing."""
        if self._off:
            return None
        shown = f"{getattr(self._hook.function, '__name__', 'hook')}, {self._hook.location}"
        try:
            self._hook.function({**event, "details": json.loads(str(event["details"]))})
        except Exception as error:  # noqa: BLE001  (code of the pipeline's author)
            self._failures += 1
            self._off = self._hook.max_failures is not None and self._failures > self._hook.max_failures
            end = ", and is called no more in this update" if self._off else ""
            return f"The event hook {shown}, failed on an event ({type(error).__name__}: {error}){end}"
        self._failures = 0
        return None
