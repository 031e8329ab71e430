"""Where an engine is reached: a Unix socket of the local one, or host and port of any other."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local_workspace import ports
from local_workspace.errors import InputError

if TYPE_CHECKING:
    from pyspark.sql.connect.client import ChannelBuilder

SOCKET, SPARK_CONNECT = "unix://", "sc://"


@dataclass(frozen=True)
class EngineAddress:
    """An address, taken apart.

    Attributes:
        text: As written: `unix:///PATH`, or `sc://HOST:PORT` with parameters behind it (Spark Connect's connection string).
        path: Of the socket; None for host and port.
    """

    text: str
    path: str | None = None
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> EngineAddress:
        """Read an address.

        Raises:
            InputError: It is none.
        """
        if text.startswith(SOCKET + "/"):
            return cls(text, path=text.removeprefix(SOCKET))
        body = text.removeprefix(SPARK_CONNECT).split("/")[0].split(";")[0]
        host, _, port = body.rpartition(":")
        if not text.startswith(SPARK_CONNECT) or not host or not port.isdigit():
            raise InputError(
                "This is not a Spark Connect address", got=text, allowed="sc://HOST:PORT or unix:///PATH"
            )
        return cls(text, host=host, port=int(port))

    def listens(self, seconds: float = 2.0) -> bool:
        """Return whether somebody takes connections there."""
        if self.path is None:
            return ports.listens(self.host, self.port, seconds)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(seconds)
            try:
                probe.connect(self.path)
            except OSError:
                return False
        return True

    def channel(self) -> ChannelBuilder:
        """Return what pyspark makes its connection with."""
        # Half a second, which a process without a session must not pay.
        from pyspark.sql.connect.client import ChannelBuilder, DefaultChannelBuilder  # noqa: PLC0415

        # A company's HTTP proxy must not be asked for a server on this machine.
        options: list[tuple[str, Any]] = [("grpc.enable_http_proxy", 0)]
        if self.path is None:
            return DefaultChannelBuilder(self.text, options)
        target = f"unix:{self.path}"
        # Else it is the path, which the engine's HTTP/2 takes for no name.
        options.append(("grpc.default_authority", "localhost"))

        class SocketChannel(ChannelBuilder):
            @property
            def host(self) -> str:
                return "localhost"

            def toChannel(self) -> Any:  # noqa: N802  (pyspark's name)
                return self._insecure_channel(target)

        return SocketChannel(options)
