"""A limit for a whole exchange over HTTP.

The time-outs of sockets begin anew with every byte, so that a server which drips its headers could hold a
connection for hours. When the time is over, the thread's socket is shut, which ends any waiting on it.
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
        self.end = time.monotonic() + seconds

    def __enter__(self) -> "Deadline":
        self.end = time.monotonic() + self.seconds
        _LOCAL.current = self
        return self

    def __exit__(self, *_: object) -> None:
        _LOCAL.current = None

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self.end


@contextlib.contextmanager
def _shut_at_the_end(connection: Any) -> Any:  # noqa: ANN401
    limit = getattr(_LOCAL, "current", None)
    if limit is None or connection.sock is None:
        yield
        return
    timer = threading.Timer(max(0.0, limit.end - time.monotonic()), _shut, [connection.sock])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


class _Connection(HTTPConnection):
    def getresponse(self) -> Any:  # noqa: ANN401
        with _shut_at_the_end(self):
            return super().getresponse()


class _SecureConnection(HTTPSConnection):
    def getresponse(self) -> Any:  # noqa: ANN401
        with _shut_at_the_end(self):
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
