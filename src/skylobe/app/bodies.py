"""Requests taken in whole before any work begins, and dropped when nobody waits for the answer any more.

What the bodies of all requests keep in memory is bounded. Where it is too much, those that are still
coming in make way, the longest under way first.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from skylobe.app import limits


class ClientGoneError(Exception):
    """The client went before its request was whole."""


class RefusedError(Exception):
    """A request that is not taken in.

    Args:
        status: Of the answer.
        sentence: What to do.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status

    @classmethod
    def too_much(cls, most: int) -> "RefusedError":
        """Refuse a body of more than so many bytes."""
        return cls(413, f"More than {most // 1_000_000} MB; send less at once.")


@dataclass(eq=False)
class _Body:
    """A body, whole or coming in.

    Args:
        data: What is there of it.
        waiting: Ends the wait for its rest; ``None`` once it is whole.
    """

    data: bytearray
    waiting: asyncio.Timeout | None = None


class Bodies:
    """The bodies that are in memory."""

    def __init__(self) -> None:
        self._kept: list[_Body] = []  # the longest under way first

    @asynccontextmanager
    async def whole(self, receive: Receive, most: int) -> AsyncIterator[bytes]:
        """Take in a body, which counts as long as the block lasts.

        Args:
            receive: Gives its parts.
            most: Bytes that it may have.

        Raises:
            RefusedError: If it is larger, comes too slowly, or there is no room.
            ClientGoneError: If the rest will never come.
        """
        body = _Body(bytearray())
        self._kept.append(body)
        try:
            await self._take_in(body, receive, most)
            yield bytes(body.data)
        finally:
            self._kept.remove(body)

    async def _take_in(self, body: _Body, receive: Receive, most: int) -> None:
        try:
            async with asyncio.timeout(limits.BODY_SECONDS) as body.waiting:
                is_more = True
                while is_more:
                    is_more = await _more(body, receive)
                    if len(body.data) > most:
                        raise RefusedError.too_much(most)
                    self._make_room(body)
        except TimeoutError:
            raise RefusedError(
                408, "The request came in too slowly; send less at once, or over a faster line."
            ) from None
        finally:
            body.waiting = None

    def _make_room(self, newest: _Body) -> None:
        excess = sum(len(one.data) for one in self._kept) - limits.BODIES_BYTES
        for one in self._kept:
            if excess > 0 and one is not newest and one.waiting is not None:
                excess -= len(one.data)
                one.waiting.reschedule(asyncio.get_running_loop().time())
        if excess > 0:
            raise RefusedError(503, "Too much is being sent at once; try again in a moment.")


async def _more(body: _Body, receive: Receive) -> bool:
    """Take in a part, and tell whether there is more."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGoneError
    body.data += message.get("body", b"")
    return bool(message.get("more_body", False))


async def while_waited_for(
    app: ASGIApp, scope: Scope, body: bytes, receive: Receive, send: Send
) -> None:
    """Have a request answered; when its client goes, what has not begun is dropped.

    Threads that work for it are waited for, so that never more of them run than may.
    """
    parts = iter([{"type": "http.request", "body": body, "more_body": False}])
    gone = asyncio.Event()

    async def receiving() -> Message:
        part = next(parts, None)
        if part is None:
            await gone.wait()
        return part or {"type": "http.disconnect"}

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()
        waited_for.cancel()

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            watching.cancel()
        await send(message)

    with anyio.CancelScope() as waited_for:
        watching = asyncio.create_task(watch())
        try:
            await app(scope, receiving, sending)
        finally:
            watching.cancel()
