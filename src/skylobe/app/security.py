"""Who may ask, and how much at once: looked at before any route sees a request.

Pages of other sites, which a browser would let ask a server on the same computer, are refused by the names
of the host and of the page that asks; strangers by the token, where there is one.
"""

import hashlib
import hmac
import ipaddress
import json
import socket
from collections.abc import Mapping, Sequence
from http.cookies import SimpleCookie
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from skylobe.app import limits
from skylobe.app.bodies import Bodies, ClientGoneError, RefusedError, while_waited_for

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
NUMBERS = "[number]"  # among the names of a server: any IP address


class Guard:
    """Stands before the app.

    Args:
        app: What is guarded.
        token: That every request must bring, as ``Authorization: Bearer``, in the cookie, or once as
            ``?token=``, which sets the cookie; ``None`` for no token.
        hosts: Names by which the server may be called, the usual one first, as ``hosts_of`` gives them.
    """

    def __init__(self, app: ASGIApp, token: str | None, hosts: tuple[str, ...]) -> None:
        self._app, self._token, self._hosts = app, token, hosts
        self._bodies = Bodies()

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
            await self._pass_on(scope, headers, receive, send)
        elif _same(given.pop("token", ""), self._token) and scope["method"] == "GET":
            await _remember(send, scope["path"], given, self._token)
        else:
            await _answer(
                send,
                401,
                "This server asks for its token; open the address that it printed when it was started.",
            )

    async def _pass_on(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        """Take in the whole request, then have it answered for as long as its client waits."""
        most = limits.UPLOAD_BYTES if scope["path"] == "/api/uploads" else limits.BODY_BYTES
        announced = headers.get("content-length", "")
        try:
            if announced.isdecimal() and int(announced) > most:
                raise RefusedError.too_much(most)
            async with self._bodies.whole(receive, most) as body:
                await while_waited_for(self._app, scope, body, receive, send)
        except RefusedError as refusal:
            await _answer(send, refusal.status, str(refusal))
        except ClientGoneError:
            pass

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "")
        try:
            name = urlsplit(f"//{host}").hostname or ""
            origin = headers.get("origin")
            asking = None if origin is None else urlsplit(origin).netloc
        except ValueError:
            return 400, "The request names no host that can be read."
        if name not in self._hosts and not (NUMBERS in self._hosts and _is_number(name)):
            return 421, f"This server answers as {self._hosts[0]}; open it by that name."
        foreign = asking is not None and asking != host
        if foreign and scope["method"] not in HARMLESS:
            return 403, "Another site may not change anything here; open the app itself."
        return None

    def _knows(self, authorization: str, headers: Headers) -> bool:
        kind, _, bearer = authorization.partition(" ")
        if kind.lower() == "bearer" and _same(bearer.strip(), self._token or ""):
            return True
        # by hand: one odd cookie of another server of this computer would end a parser's reading
        brought = (one.strip().partition("=") for one in headers.get("cookie", "").split(";"))
        name = _cookie_of(self._token or "")
        return any(key == name and _same(value, self._token or "") for key, _, value in brought)


def hosts_of(address: str, further: Sequence[str] = ()) -> tuple[str, ...]:
    """Name what a server at an address may be called.

    A page of another site can have its own name lead here, but no number and no name of this computer.

    Args:
        address: That it listens at.
        further: Names that a proxy or the network gives it.

    >>> hosts_of("localhost", ["survey.example"])
    ('localhost', '127.0.0.1', '::1', 'survey.example')
    """
    own = LOCAL if address in LOCAL else (address.lower(), *LOCAL)
    if not is_local(address):
        own = (socket.gethostname().lower(), *own, NUMBERS)
    return (*own, *(one.lower() for one in further))


def is_local(address: str) -> bool:
    """Tell whether only this computer reaches an address.

    >>> is_local("127.0.0.2"), is_local("localhost"), is_local("0.0.0.0"), is_local("survey.example")
    (True, True, False, False)
    """
    return address in LOCAL or (_is_number(address) and ipaddress.ip_address(address).is_loopback)


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _cookie_of(token: str) -> str:
    """Name the cookie of a token: servers of one computer share their cookies, whatever their ports."""
    return f"{COOKIE}_{hashlib.sha256(token.encode()).hexdigest()[:8]}"


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


async def _remember(send: Send, path: str, given: Mapping[str, str], token: str) -> None:
    """Put the token into a cookie, and take it out of the address."""
    left = urlencode(given)
    name = _cookie_of(token)
    cookie: SimpleCookie = SimpleCookie({name: token})
    cookie[name].update({"httponly": "yes", "samesite": "Strict", "path": "/"})
    # two slashes at the beginning would lead to another host; browsers pass over tabs and line ends
    there = "/" + quote(path.lstrip("/\\ \t\r\n")) + (f"?{left}" if left else "")
    headers = [
        (b"location", there.encode("ascii")),
        (b"set-cookie", cookie[name].OutputString().encode("latin-1")),
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
