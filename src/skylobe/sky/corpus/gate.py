"""A gate that lets requests begin at a limited rate."""

import threading
import time


class Gate:
    """Lets requests begin at a limited rate, and none while the service asks for a pause.

    Args:
        per_second: Requests begun per second, at most.
    """

    def __init__(self, per_second: float) -> None:
        self._interval = 1 / per_second
        self._lock = threading.Lock()
        self._next = 0.0
        self.closed = threading.Event()
        self.reached = threading.Event()  # somebody had an answer, be it an error

    def enter(self) -> None:
        """Wait for one's turn."""
        with self._lock:
            turn = max(time.monotonic(), self._next)
            self._next = turn + self._interval
        self.rest(turn - time.monotonic())

    def pause(self, seconds: float) -> None:
        """Let nobody in for a while."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)

    def rest(self, seconds: float) -> None:
        """Wait, but not longer than until the gate is closed for good."""
        if self.closed.wait(max(0.0, seconds)):
            raise InterruptedError
