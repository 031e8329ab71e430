"""Sessions on an engine: UTC, ANSI, and an error within seconds when the engine is gone."""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from local_workspace.engine.address import EngineAddress
from local_workspace.errors import EngineError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Where the sessions that were opened here have their engine.
_addresses: weakref.WeakKeyDictionary[Any, EngineAddress] = weakref.WeakKeyDictionary()


def connect(
    address: str, conf: Mapping[str, str] | None = None, *, log_file: Path | str | None = None
) -> SparkSession:
    """Open a new session on an engine: UTC, ANSI, and errors within seconds when the engine is gone.

    Args:
        address: See :class:`local_workspace.engine.address.EngineAddress`.
        conf: More Spark settings.
        log_file: Named in the error text.

    Raises:
        EngineError: Nobody listens there. The session raises it too, from whichever call, when the engine
        dies later.
    """
    place = EngineAddress.parse(address)
    if not place.listens():
        raise _gone(address, log_file)

    # Half a second, which a process without a session must not pay.
    from pyspark.sql.connect.session import SparkSession as ConnectSession  # noqa: PLC0415

    from local_workspace.engine.retries import FailFastPolicy  # noqa: PLC0415

    # As `SparkSession.builder.remote()` does: functions such as `col` are then Spark Connect's, too.
    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
    _step_down(ConnectSession)
    session = ConnectSession.builder.channelBuilder(cast("Any", place.channel())).create()
    _addresses[session] = place
    session.client.set_retry_policies([FailFastPolicy(place.listens, lambda: _gone(address, log_file))])
    # Reattaching saves a long result when a connection breaks. On loopback none does, and it doubles the requests.
    session.client.disable_reattachable_execute()
    settings = {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        **(conf or {}),
    }
    for name, value in settings.items():
        session.conf.set(name, value)
    return cast("SparkSession", session)


def _step_down(kind: type[Any]) -> None:
    """Let no session of a dead engine stay the active or default one of this process.

    pyspark sends some calls (such as `saveAsTable`) to the active session, and a new session only becomes
    that if there is none. It has no public way to change it short of stopping the old session, whose users
    would no longer get the engine's error.
    """

    def is_dead(session: object) -> bool:
        place = _addresses.get(session) if session is not None else None
        return place is not None and not place.listens()

    if is_dead(kind._default_session):
        kind._default_session = None
    if is_dead(getattr(kind._active_session, "session", None)):
        kind._active_session.session = None


def _gone(address: str, log_file: Path | str | None) -> EngineError:
    return EngineError(
        "The engine (Sail) is gone: nothing listens at its address",
        got=address,
        consequence="The statement did not finish; what it had committed is kept, the rest is lost",
        next_step="Run the command again, which starts a new engine; "
        f"{log_file or 'logs/sail.log in the workspace folder'} says why it died",
    )
