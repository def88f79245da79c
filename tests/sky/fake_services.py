"""A loopback server that speaks hips2fits and SkyView, and misbehaves on request.

Its pictures are made with its own few lines of SIN projection, so that a mistake in ours cannot hide in a
shared one. Every picture holds one Gaussian at its centre whose peak is a function of right ascension and
declination (``peak_at``); further sources at fixed places of the sky may be added. Small pictures of a
repeated width cost next to nothing: thousands of requests a second are limited by HTTP alone.
"""

import functools
import gzip
import json
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qsl, urlsplit

import numpy as np

FWHM = 6.0  # pixels of the central source
FAULTS = (
    "ok",
    "timeout",
    "drip",
    "drip_body",
    "silent_body",
    "drop",
    "500",
    "404",
    "429",
    "html200",
    "empty",
    "truncated",
    "short",
    "chunked",
    "chunked_short",
    "gzip",
    "wrong_size",
    "wrong_scale",
    "wrong_centre",
    "rotated",
    "mirrored",
    "no_wcs",
    "cube",
    "all_nan",
    "all_zero",
    "half_nan",
)

Fault = Callable[[int, dict[str, str]], str]


def peak_at(ra: float, dec: float) -> float:
    """Give the peak, in Jy/beam, of the source that every picture has at its centre."""
    return 1e-3 * (1 + (round(ra, 5) * 7.3 + round(dec, 5) * 3.1) % 50)


class FakeServices:
    """The server; a context manager.

    Args:
        fault: Name of ``FAULTS`` for the request's number (from 0) and its parameters.
        sources: Further sources: right ascension, declination (degrees), peak (Jy/beam), FWHM (arcsec).
        retry_after: Seconds that a 429 asks for.
        delay: Seconds before each answer.
    """

    def __init__(
        self,
        fault: Fault = lambda number, params: "ok",
        sources: Sequence[tuple[float, float, float, float]] = (),
        retry_after: str = "7",
        delay: float = 0.0,
    ) -> None:
        self.fault, self.sources = fault, tuple(sources)
        self.retry_after, self.delay = retry_after, delay
        self.requests: list[dict[str, str]] = []
        self.agents: set[str] = set()
        self.connections = self.concurrent = self.most_concurrent = 0
        self.lock, self.over = threading.Lock(), threading.Event()

    def __enter__(self) -> Self:
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.fake = self
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def hips2fits(self) -> str:
        return self.url + "/hips-image-services/hips2fits"

    @property
    def skyview(self) -> str:
        return self.url + "/current/cgi/runquery.pl"

    def address(self, service: str) -> str:
        return getattr(self, service)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that give up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 20  # headers and body leave in one packet

    def setup(self) -> None:
        super().setup()
        with self.server.fake.lock:
            self.server.fake.connections += 1

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        fake = self.server.fake
        parts = urlsplit(self.path)
        params = dict(parse_qsl(parts.query))
        with fake.lock:
            number = len(fake.requests)
            fake.requests.append(params)
            fake.agents.add(self.headers.get("User-Agent", ""))
            fake.concurrent += 1
            fake.most_concurrent = max(fake.most_concurrent, fake.concurrent)
        try:
            if fake.delay:
                fake.over.wait(fake.delay)
            name = "hips2fits" if "hips2fits" in parts.path else "skyview"
            self._answer(fake, fake.fault(number, params), params, name)
        finally:
            with fake.lock:
                fake.concurrent -= 1

    def _answer(self, fake: FakeServices, fault: str, params: dict[str, str], name: str) -> None:
        if fault == "timeout":
            fake.over.wait(30)
            self.close_connection = True
        elif fault == "drop":
            self.close_connection = True
        elif fault in ("drip", "drip_body", "silent_body"):
            self._drip(fake, fault)
        elif fault in ("500", "404", "429"):
            extra = {"Retry-After": fake.retry_after} if fault == "429" else {}
            self._send(int(fault), b"<html>an error</html>", "text/html", extra)
        elif fault == "html200":
            self._send(
                200, b"<html><body>SkyView is down for maintenance</body></html>", "text/html"
            )
        elif fault == "empty":
            self._send(200, b"")
        else:
            body = picture(params, name, fault, fake.sources)
            if fault == "truncated":  # a shorter file, sent whole
                body = body[: len(body) // 2]
            if fault.startswith("chunked"):
                self._send_chunks(body, whole=fault == "chunked")
            elif fault == "gzip":
                self._send(200, gzip.compress(body), extra={"Content-Encoding": "gzip"})
            else:
                self._send(200, body, length=len(body) * (2 if fault == "short" else 1))
                self.close_connection |= fault == "short"

    def _send(
        self,
        status: int,
        body: bytes,
        kind: str = "application/fits",
        extra: dict[str, str] | None = None,
        length: int | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for key, value in (extra or {}).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def _send_chunks(self, body: bytes, whole: bool) -> None:
        """Send without saying how long it is; leave the end out unless ``whole``."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(body) if whole else len(body) // 2, 1000):
            part = body[start : start + 1000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n" if whole else b"")
        self.wfile.flush()
        self.close_connection |= not whole

    def _drip(self, fake: FakeServices, fault: str) -> None:
        """Send one byte of the headers, or of the body, at a time, for ever; or nothing more."""
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Padding: ")
        if fault != "drip":
            self.wfile.write(b"x\r\nContent-Length: 1000000\r\n\r\n")
        while not fake.over.wait(0.05):
            self.wfile.write(b"" if fault == "silent_body" else b"x")
            self.wfile.flush()


def grid(params: dict[str, str], name: str) -> tuple[float, float, int, float]:
    """Read right ascension, declination, width in pixels and degrees per pixel off a request."""
    if name == "skyview":
        ra, dec = (float(one) for one in params["Position"].split(","))
        width = int(params["Pixels"].split(",")[0])
        return ra, dec, width, float(params["Size"].split(",")[0]) / width
    if "wcs" in params:
        wcs = json.loads(params["wcs"])
        assert wcs["CTYPE1"] == "RA---SIN"
        assert wcs["CTYPE2"] == "DEC--SIN"
        assert wcs["CRPIX1"] == wcs["CRPIX2"] == (wcs["NAXIS1"] + 1) / 2
        assert -wcs["CDELT1"] == wcs["CDELT2"] > 0
        return wcs["CRVAL1"], wcs["CRVAL2"], wcs["NAXIS1"], wcs["CDELT2"]
    width = int(params["width"])
    return float(params["ra"]), float(params["dec"]), width, float(params["fov"]) / width


def picture(
    params: dict[str, str],
    name: str,
    fault: str = "ok",
    sources: Sequence[tuple[float, float, float, float]] = (),
) -> bytes:
    """Make the FITS file that answers a request."""
    ra, dec, width, scale = grid(params, name)
    width += 2 * (fault == "wrong_size")
    scale *= 1.5 if fault == "wrong_scale" else 1
    pixels = peak_at(ra, dec) * _stencil(width)
    for source in sources:
        pixels = pixels + _gaussian(source, ra, dec, width, scale)
    pixels = pixels.astype(">f4")
    if fault in ("all_nan", "all_zero"):
        pixels[:] = np.nan if fault == "all_nan" else 0
    if fault == "half_nan":
        pixels[:, : int(0.6 * width)] = np.nan
    if fault == "mirrored":
        pixels = pixels[::-1, ::-1]
    shift = 3 * scale if fault == "wrong_centre" else 0.0
    cards = _cards(ra, dec + shift, width, scale, fault)
    data = pixels.tobytes()
    return cards + data + b"\0" * (-len(data) % 2880)


def _cards(ra: float, dec: float, width: int, scale: float, fault: str) -> bytes:
    shape = [width, width, *([2] if fault == "cube" else [])]
    if fault == "cube":
        shape = [width, width // 2, 2]
    values = {"SIMPLE": "T", "BITPIX": "-32", "NAXIS": str(len(shape))}
    values |= {f"NAXIS{i + 1}": str(n) for i, n in enumerate(shape)}
    if fault != "no_wcs":
        sign = -1 if fault == "mirrored" else 1
        values |= {"CTYPE1": "'RA---SIN'", "CTYPE2": "'DEC--SIN'"}
        values |= {"CRVAL1": repr(ra), "CRVAL2": repr(dec)}
        values |= {"CRPIX1": repr((width + 1) / 2), "CRPIX2": repr((width + 1) / 2)}
        values |= {"CDELT1": repr(-sign * scale), "CDELT2": repr(sign * scale)}
        values |= {"CUNIT1": "'deg     '", "CUNIT2": "'deg     '", "RADESYS": "'ICRS    '"}
        values["LONPOLE"] = "180.0"
    if fault == "rotated":
        values["CROTA2"] = "20.0"
    lines = [f"{key:<8}= {value:>20}".ljust(80) for key, value in values.items()]
    text = "".join([*lines, "END".ljust(80)]).encode("ascii")
    return text + b" " * (-len(text) % 2880)


@functools.lru_cache(maxsize=16)
def _stencil(width: int) -> np.ndarray:
    """Draw the central source, and a floor that is not zero."""
    row, column = np.mgrid[:width, :width] - (width - 1) / 2
    return np.exp(-4 * np.log(2) * (row**2 + column**2) / FWHM**2) + 1e-4


def _gaussian(
    source: tuple[float, float, float, float], ra: float, dec: float, width: int, scale: float
) -> np.ndarray:
    """Draw a source of the sky at its SIN-projected place, east to the left and north up."""
    there, north = np.radians(source[0] - ra), np.radians(source[1])
    pole = np.radians(dec)
    east = np.cos(north) * np.sin(there)
    up = np.sin(north) * np.cos(pole) - np.cos(north) * np.sin(pole) * np.cos(there)
    column = (width - 1) / 2 - np.degrees(east) / scale
    row = (width - 1) / 2 + np.degrees(up) / scale
    rows, columns = np.mgrid[:width, :width]
    fwhm = source[3] / 3600 / scale
    distance = (rows - row) ** 2 + (columns - column) ** 2
    return source[2] * np.exp(-4 * np.log(2) * distance / fwhm**2)


def wait_for(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Wait until something holds in another thread."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()
