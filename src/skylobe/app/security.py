"""Who may ask, and how much at once: looked at before any route sees a request.

Pages of other sites, which a browser would let ask a server on the same computer, are refused by the names
of the host and of the page that asks; strangers by the token, where there is one.
"""

import hmac
import json
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from skylobe.app import limits

COOKIE = "skylobe_token"
HARMLESS = ("GET", "HEAD")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
LOCAL = ("localhost", "127.0.0.1", "::1")
EVERYWHERE = ("0.0.0.0", "::")  # addresses that mean all of the computer's


class Guard:
    """Stands before the app.

    Args:
        app: What is guarded.
        token: That every request must bring, as ``Authorization: Bearer``, in the cookie, or once as
            ``?token=``, which sets the cookie; ``None`` for no token.
        hosts: Names by which the server may be called; ``None`` for any.
    """

    def __init__(self, app: ASGIApp, token: str | None, hosts: tuple[str, ...] | None) -> None:
        self._app, self._token, self._hosts = app, token, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that is refused; let the others through, their size watched."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        send = _with_headers(send)
        refusal = self._refusal(scope, headers)
        given = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        if refusal is not None:
            await _answer(send, *refusal)
        elif self._token is None or self._knows(headers.get("authorization", ""), headers):
            await self._app(scope, _limited(receive, scope, headers), send)
        elif _same(given.pop("token", ""), self._token) and scope["method"] == "GET":
            await _remember(send, scope["path"], given, self._token)
        else:
            await _answer(
                send,
                401,
                "This server asks for its token; open the address that it printed when it was started.",
            )

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "")
        try:
            name = urlsplit(f"//{host}").hostname or ""
            origin = headers.get("origin")
            asking = None if origin is None else urlsplit(origin).netloc
        except ValueError:
            return 400, "The request names no host that can be read."
        if self._hosts is not None and name not in self._hosts:
            return 421, f"This server answers as {self._hosts[0]}; open it by that name."
        foreign = asking is not None and asking != host
        if foreign and scope["method"] not in HARMLESS:
            return 403, "Another site may not change anything here; open the app itself."
        return None

    def _knows(self, authorization: str, headers: Headers) -> bool:
        kind, _, bearer = authorization.partition(" ")
        if kind.lower() == "bearer" and _same(bearer.strip(), self._token or ""):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and _same(cookie.value, self._token or "")


def hosts_of(address: str) -> tuple[str, ...] | None:
    """Name what a server at an address may be called; any name, where it is reached from outside.

    >>> hosts_of("0.0.0.0") is None, hosts_of("localhost")
    (True, ('localhost', '127.0.0.1', '::1'))
    """
    return LOCAL if address in LOCAL else None


def _same(given: str, true: str) -> bool:
    """Compare without telling, by the time taken, how much is right."""
    return hmac.compare_digest(given.encode(), true.encode())


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending


def _limited(receive: Receive, scope: Scope, headers: Headers) -> Receive:
    """Count what a request sends, and stop reading where it is too much."""
    most = limits.UPLOAD_BYTES if scope["path"] == "/api/uploads" else limits.BODY_BYTES
    announced = headers.get("content-length", "")
    seen = int(announced) if announced.isdecimal() and int(announced) > most else 0

    async def receiving() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise HTTPException(413, f"More than {most // 1_000_000} MB; send less at once.")
        return message

    return receiving


async def _remember(send: Send, path: str, given: Mapping[str, str], token: str) -> None:
    """Put the token into a cookie, and take it out of the address."""
    left = urlencode(given)
    cookie: SimpleCookie = SimpleCookie({COOKIE: token})
    cookie[COOKIE].update({"httponly": "yes", "samesite": "Strict", "path": "/"})
    # two slashes at the beginning would lead to another host
    there = "/" + path.lstrip("/\\") + (f"?{left}" if left else "")
    headers = [
        (b"location", there.encode("latin-1", "ignore")),
        (b"set-cookie", cookie[COOKIE].OutputString().encode("latin-1")),
        (b"content-length", b"0"),
    ]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _answer(send: Send, status: int, sentence: str) -> None:
    body = json.dumps({"error": sentence}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
