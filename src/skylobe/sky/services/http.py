"""One request over the network to the bytes of its answer, or to one of our errors.

It never waits for ever: connecting, each silence and the whole exchange have limits, and so has the size.
Connections are kept per thread, so that any number of threads may send.
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import IncompleteRead
from http.cookiejar import DefaultCookiePolicy
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import requests
from urllib3.exceptions import HTTPError, NewConnectionError, ReadTimeoutError

from skylobe.core.errors import (
    NonsenseError,
    ServiceDownError,
    ServiceTimeoutError,
    UnreachableError,
)
from skylobe.core.version import VERSION
from skylobe.sky.services.deadline import Deadline, DeadlineAdapter

TIMEOUT = (5.0, 30.0)  # seconds to connect, seconds of silence
DEADLINE = 120.0  # seconds for the whole exchange
MAX_BYTES = 64_000_000
CHUNK = 1 << 16
USER_AGENT = f"skylobe/{VERSION} (python-requests; cut-outs of radio surveys)"
_BUSY = (429, 503)
_LOCAL = threading.local()


@dataclass(frozen=True)
class Request:
    """A request that can be looked at, logged or sent.

    Args:
        url: Address of the service.
        params: Its parameters, as text.
    """

    url: str
    params: tuple[tuple[str, str], ...]

    @property
    def url_with_params(self) -> str:
        """The whole address, as a browser takes it."""
        return f"{self.url}?{urlencode(self.params)}"


def session() -> requests.Session:
    """Give this thread's session, whose connections are used again."""
    if not hasattr(_LOCAL, "session"):
        _LOCAL.session = new_session()
    return _LOCAL.session  # type: ignore[no-any-return]


def new_session() -> requests.Session:
    """Make a session that keeps connections, takes no cookies and ends at a deadline."""
    made = requests.Session()
    made.headers["User-Agent"] = USER_AGENT
    made.max_redirects = 5
    made.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("http://", "https://"):
        made.mount(scheme, DeadlineAdapter())
    return made


class Patience(NamedTuple):
    """How long an exchange may take.

    Args:
        timeout: Seconds to connect and seconds of silence.
        deadline: Seconds for everything together, however slowly bytes drip in.
    """

    timeout: tuple[float, float] = TIMEOUT
    deadline: float = DEADLINE


def send(
    request: Request,
    session_: requests.Session | None = None,
    timeout: tuple[float, float] = TIMEOUT,
    *,
    deadline: float = DEADLINE,
    max_bytes: int = MAX_BYTES,
) -> bytes:
    """Send a request once and give the answer's bytes; whether to try again is the caller's choice.

    Args:
        request: What to send.
        session_: Session of ``new_session``; ``None`` takes this thread's own.
        timeout: Seconds to connect and seconds of silence.
        deadline: Seconds for everything together, however slowly bytes drip in.
        max_bytes: Bytes. A longer answer is no cut-out.

    Raises:
        ServiceDownError: If the service refuses, drops the connection, or answers with an error; a pause
            that it asks for is in ``retry_after``.
        ServiceTimeoutError: If it is too slow.
        NonsenseError: If the answer is empty, cut short or too long.
    """
    host = urlsplit(request.url).netloc
    with Deadline(deadline) as limit:
        try:
            with (session_ or session()).get(
                request.url, params=dict(request.params), timeout=timeout, stream=True
            ) as response:
                _check_status(response, host)
                return b"".join(_chunks(response.raw, limit, max_bytes, host))
        except (requests.Timeout, ReadTimeoutError):
            raise ServiceTimeoutError(_too_slow(host, timeout[1])) from None
        except (requests.RequestException, HTTPError, OSError) as error:
            if limit.is_over:
                raise ServiceTimeoutError(_too_slow(host, deadline)) from None
            if any(isinstance(one, IncompleteRead) for one in _causes(error)):
                raise NonsenseError(f"{host} left out the end of its answer; ask again.") from None
            is_away = any(isinstance(one, NewConnectionError) for one in _causes(error))
            raise (UnreachableError if is_away else ServiceDownError)(
                f"{host} cannot be reached ({_reason(error)}); check the network or try later."
            ) from None


def _chunks(raw: Any, limit: Deadline, max_bytes: int, host: str) -> Iterator[bytes]:  # noqa: ANN401
    """Read what has arrived, again and again, instead of waiting until a chunk is full."""
    total = 0
    while chunk := raw.read1(CHUNK, decode_content=True):
        total += len(chunk)
        if total > max_bytes:
            raise NonsenseError(f"{host} sent more than {max_bytes:,} bytes; ask for less sky.")
        if limit.is_over:
            raise ServiceTimeoutError(_too_slow(host, limit.seconds))
        yield chunk
    if limit.is_over:  # a connection shut at the deadline looks like one that came to its end
        raise ServiceTimeoutError(_too_slow(host, limit.seconds))
    if raw.length_remaining:
        raise NonsenseError(f"{host} left out the end of its answer; ask again.")
    if not total:
        raise NonsenseError(f"{host} sent an empty answer; ask again.")


def _check_status(response: requests.Response, host: str) -> None:
    status = response.status_code
    if status == requests.codes.ok:
        return
    if status in _BUSY:
        pause = _retry_after(response.headers.get("Retry-After"))
        raise ServiceDownError(
            f"{host} is busy (status {status}); try again"
            + (
                f" in {pause:.0f} seconds." if pause is not None else " later, with fewer requests."
            ),
            pause,
        )
    if status >= 500 or status == requests.codes.request_timeout:
        raise ServiceDownError(f"{host} has an error of its own (status {status}); try later.")
    raise ServiceDownError(
        f"{host} refuses the request (status {status}); check survey and address.", transient=False
    )


def _retry_after(text: str | None) -> float | None:
    """Read seconds or a date."""
    if text is None:
        return None
    try:
        if text.strip().isdigit():
            return float(text)
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None


def _too_slow(host: str, seconds: float) -> str:
    return f"{host} did not answer within {seconds:g} seconds; try later, or allow more time."


def _causes(error: BaseException) -> list[BaseException]:
    """List an error and what lies under it, the innermost last."""
    found = [error]
    while (inner := found[-1].__cause__ or found[-1].__context__) is not None:
        found.append(inner)
    return found


def _reason(error: Exception) -> str:
    """Name the innermost cause, which says more than the layers around it."""
    cause = _causes(error)[-1]
    return " ".join(str(cause).split())[:100] or type(cause).__name__
