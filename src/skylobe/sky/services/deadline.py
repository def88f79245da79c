"""A limit for a whole exchange over HTTP.

The time-outs of sockets begin anew with every byte, so that a server which drips could hold a connection
for hours. When the time is over, the thread's socket is shut, which ends any waiting on it.
"""

import contextlib
import socket
import threading
import time
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_LOCAL = threading.local()


class Deadline:
    """Time allowed to this thread's requests while the ``with`` block runs.

    Args:
        seconds: From entering the block.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._shut)
        self._timer.daemon = True

    def __enter__(self) -> "Deadline":
        self._end = time.monotonic() + self.seconds
        self._timer.start()
        _LOCAL.current = self
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        _LOCAL.current = None

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self._end

    def _shut(self) -> None:
        for one in self._sockets:
            with contextlib.suppress(OSError):
                # not the method of TLS sockets, which would change them under the reading thread
                socket.socket.shutdown(one, socket.SHUT_RDWR)

    def heed(self, connected: socket.socket) -> None:
        """Shut this socket too when the time is up."""
        self._sockets.append(connected)
        if self.is_over:
            self._shut()


def _heed(connection: HTTPConnection) -> None:
    current: Deadline | None = getattr(_LOCAL, "current", None)
    if current is not None and connection.sock is not None:
        current.heed(connection.sock)


class _Connection(HTTPConnection):
    def getresponse(self) -> Any:  # noqa: ANN401
        _heed(self)
        return super().getresponse()


class _SecureConnection(HTTPSConnection):
    def getresponse(self) -> Any:  # noqa: ANN401
        _heed(self)
        return super().getresponse()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class DeadlineAdapter(HTTPAdapter):
    """The usual transport, with connections that heed the thread's ``Deadline``."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Make the pools from the connections above."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
