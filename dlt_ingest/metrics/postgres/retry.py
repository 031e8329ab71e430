"""Trying again after faults that pass: exponential backoff with jitter."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long.

    The pause doubles from `base_s` up to `cap_s` and is then multiplied by 0.5 to 1.5 at random, so that
    exporters that lost the same server do not all come back in the same moment.

    Attributes:
        attempts: Tries in all, the first included.
        base_s: Seconds before the second try.
        cap_s: The longest pause in seconds, before jitter.
    """

    attempts: int = 5
    base_s: float = 0.5
    cap_s: float = 30.0

    def pause_s(self, attempt: int, jitter: float) -> float:
        """Return seconds to wait after try number `attempt` (from 1); `jitter` is in [0, 1)."""
        return min(self.cap_s, self.base_s * 2.0 ** (attempt - 1)) * (0.5 + jitter)

    def run(
        self,
        work: Callable[[int], Result],
        *,
        passes: Callable[[Exception], bool],
        on_retry: Callable[[int, float, Exception], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Result:
        """Call `work(attempt)` until it returns, its error does not pass, or the attempts are used up.

        Args:
            work: Does everything again from the start on each call.
            passes: Whether an error may go away by itself.
            on_retry: Called with the failed attempt, the pause in seconds, and the error.
            sleep: How to wait.

        Raises:
            Exception: The last error of `work`, unchanged.
        """
        attempt = 1
        while True:
            try:
                return work(attempt)
            except Exception as error:
                if attempt >= self.attempts or not passes(error):
                    raise
                pause = self.pause_s(attempt, random.random())  # noqa: S311  # jitter, not a secret
                if on_retry is not None:
                    on_retry(attempt, pause, error)
                sleep(pause)
                attempt += 1
