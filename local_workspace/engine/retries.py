"""How a Spark Connect session behaves when its engine dies: it says so within seconds."""

from __future__ import annotations

from collections.abc import Callable

import grpc
from pyspark.sql.connect.client.retries import DefaultPolicy

from local_workspace.errors import EngineError

_LOST = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.CANCELLED,
)


class FailFastPolicy(DefaultPolicy):
    """Spark Connect's own policy with an end to it: retry while the engine listens, else raise EngineError.

    The default policy retries an unreachable server for ten minutes. Whether to retry is the one question
    that the client asks about every failed call, so this is also where the failure gets its name.

    Args:
        listens: Tells whether the engine's port takes connections.
        gone: Makes the error to raise if it does not.
    """

    def __init__(self, listens: Callable[[], bool], gone: Callable[[], EngineError]) -> None:
        super().__init__(max_retries=6, initial_backoff=50, backoff_multiplier=2.0, max_backoff=1000)
        self._listens = listens
        self._gone = gone

    def can_retry(self, e: BaseException) -> bool:
        """Decide on one failed call.

        Raises:
            EngineError: The engine is gone.
        """
        if isinstance(e, grpc.RpcError) and e.code() in _LOST and not self._listens():
            raise self._gone() from e
        return bool(super().can_retry(e))
