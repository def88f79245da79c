"""Tables of sources to TOPCAT, Aladin and their like over SAMP, and the rows chosen there back."""

import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from skylobe.core.errors import UnavailableError
from skylobe.core.extras import optional
from skylobe.core.version import VERSION
from skylobe.search import export

CHOICES = ("table.select.rowList", "table.highlight.row")


class Samp:
    """A place in the running SAMP hub; use it in a ``with`` statement.

    The table lies in a temporary file, which other programs read while the block runs.

    Args:
        hub: Hub to join; ``None`` takes the one that is running, such as TOPCAT's own.

    Raises:
        UnavailableError: If no hub is running.
        MissingExtraError: If pyvo is not installed.
    """

    def __init__(self, hub: Any = None) -> None:  # noqa: ANN401  (pyvo's hub server)
        notes = {"samp.description.text": "Radio galaxies that look alike", "version": VERSION}
        # the hub and its programs are on this machine; nothing listens on the network
        self._samp = optional("pyvo.samp")
        self._client = self._samp.SAMPIntegratedClient("skylobe", metadata=notes, addr="127.0.0.1")
        self._hub = hub
        self._scratch = tempfile.TemporaryDirectory(prefix="skylobe-samp-")
        self._chosen: list[int] = []
        self._news = threading.Event()
        self._sent = 0

    def __enter__(self) -> "Samp":
        """Join the hub."""
        try:
            self._client.connect(hub=self._hub)
        except (self._samp.SAMPHubError, self._samp.SAMPProxyError, OSError):
            self._scratch.cleanup()
            raise UnavailableError(
                "No SAMP hub is running; start TOPCAT or Aladin first."
            ) from None
        for kind in CHOICES:
            # plain functions: the client counts the arguments of what it calls
            self._client.bind_receive_notification(
                kind, lambda key, sender, kind, content, extra: self._choose(content)
            )
            self._client.bind_receive_call(
                kind, lambda key, sender, tag, kind, content, extra: self._answer(tag, content)
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the hub and delete the table's file."""
        self._client.disconnect()
        self._scratch.cleanup()

    def send(self, table: QTable, name: str = "skylobe") -> int:
        """Send a table to all programs that read tables.

        Args:
            table: Sources.
            name: What the programs call it.

        Returns:
            How many programs it was sent to.
        """
        self._sent += 1
        path = export.write(Path(self._scratch.name) / f"{self._sent}.vot", table)
        content = {"url": path.as_uri(), "table-id": self._table_id, "name": name}
        message = {"samp.mtype": "table.load.votable", "samp.params": content}
        return len(self._client.notify_all(message))

    def chosen(self, timeout: float) -> NDArray[np.int64]:
        """Wait until rows of the table are chosen in another program.

        Args:
            timeout: Seconds to wait.

        Returns:
            Their row numbers in the table that was sent last; none if nobody chose.
        """
        self._news.wait(timeout)
        self._news.clear()
        return np.array(self._chosen, dtype=np.int64)

    @property
    def _table_id(self) -> str:
        return f"skylobe-{id(self)}-{self._sent}"

    def _choose(self, content: dict[str, Any]) -> None:
        """Take the rows that a program tells of, if they are of this table."""
        if content.get("table-id") == self._table_id:
            rows = content.get("row-list", content.get("row", []))
            self._chosen = [int(one) for one in ([rows] if isinstance(rows, str) else rows)]
            self._news.set()

    def _answer(self, tag: str, content: dict[str, Any]) -> None:
        self._choose(content)
        self._client.reply(tag, {"samp.status": "samp.ok", "samp.result": {}})
