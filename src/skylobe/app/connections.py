"""Connections that keep the server waiting: how many there may be, and for how long.

uvicorn waits without end for the rest of a request's head, and for clients that fetch no answer.
"""

import asyncio
import json
import sys

from uvicorn.protocols.http.h11_impl import H11Protocol

from skylobe.app import limits

FULL = json.dumps({"error": "Too many visitors at once; try again in a moment."}).encode()
REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(FULL), FULL)
)


def most_connections() -> int:
    """Give how many connections there may be: each is an open file, and the index needs some, too."""
    if sys.platform == "win32":
        return limits.CONNECTIONS
    import resource  # absent there

    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return min(limits.CONNECTIONS, max(8, files // 2 - 8))


class Connection(H11Protocol):
    """A connection that ends when its client keeps it open without asking or fetching anything."""

    since = 0.0  # when the client's turn began
    _timer: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered: it is the client's turn."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection; where there are too many, the one that has been idle for longest ends."""
        super().connection_made(transport)
        if len(self._others()) >= most_connections():
            idle = [one for one in self._others() if one.is_idle and not one.flow.write_paused]
            if not idle:
                transport.write(REFUSAL)
                transport.close()
                return
            min(idle, key=lambda one: one.since).transport.abort()
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what the client sends; once a head is whole, others see to the body."""
        super().data_received(data)
        if not self.is_idle:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """Wait for the next request; what is left of this one must come in the same time."""
        super().on_response_complete()
        if self.is_idle and not self.flow.write_paused:
            self._wait_for_head()

    def pause_writing(self) -> None:
        """Watch whether the client fetches its answer."""
        super().pause_writing()
        self.since = self.loop.time()
        slow = [one for one in (self, *self._others()) if one.flow.write_paused]
        if sum(one.transport.get_write_buffer_size() for one in slow) > limits.UNFETCHED_BYTES:
            min(slow, key=lambda one: one.since).transport.abort()
        self._watch_fetching(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Have seen that it does."""
        super().resume_writing()
        self._stop_waiting()
        if self.is_idle:
            self._wait_for_head()

    def _others(self) -> list["Connection"]:
        """List the other connections that are not ending already."""
        every = (one for one in self.connections if isinstance(one, Connection))
        return [one for one in every if one is not self and not one.transport.is_closing()]

    def _wait_for_head(self) -> None:
        self._stop_waiting()
        self.since = self.loop.time()
        self._timer = self.loop.call_later(limits.HEAD_SECONDS, self.transport.abort)

    def _watch_fetching(self, left: int) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(limits.FETCH_SECONDS, self._insist_on_progress, left)

    def _insist_on_progress(self, before: int) -> None:
        left = self.transport.get_write_buffer_size()
        if before - left < limits.FETCH_SECONDS * limits.FETCHED_A_SECOND:
            self.transport.abort()
        else:
            self._watch_fetching(left)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
