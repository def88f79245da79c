"""One image file of any format and depth to its pixels: FITS (also .fz, .gz), PNG, JPEG, NPY.

Pixels come out as they are in the file; ``normalise`` scales them. A file that cannot give a picture is
refused by name; it never becomes a silent blank.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from numpy.typing import NDArray

from skylobe.core import apart
from skylobe.core.apart import Allowance, Apart
from skylobe.core.errors import DataError
from skylobe.core.fits_units import OpenFile, sound
from skylobe.core.paths import is_file
from skylobe.core.unfolding import RATIO, most_bytes, most_pixels, unfolded
from skylobe.images.picture_files import read_npy, read_picture
from skylobe.sky import headers, interpolation
from skylobe.sky.fits import FITS_ENDINGS, quietly, read_first
from skylobe.sky.kinds import kind_of, stokes_of

PICTURES = (".png", ".jpg", ".jpeg")
ENDINGS = (*FITS_ENDINGS, *PICTURES, ".npy")
MAX_PIXELS = 100_000_000  # a larger picture is a mistake or an attack
BYTES_PER_PIXEL = 8
BESIDE = 100_000_000  # bytes of all headers and tables beside the image
SQUARE = 0.01  # relative: pixels whose sides differ by less are square
LONGEST = 16.0  # of a pixel's sides, the one over the other
# what the tiles of a compressed FITS file may take: so much, and more with its bytes
SECONDS, BYTES_A_SECOND, MEMORY = 3.0, 5_000_000, 350_000_000
_PACKED = Apart("skylobe.images.files:answer")


@dataclass(frozen=True)
class ImageFile:
    """What an image file holds.

    Args:
        pixels: ``(height, width)`` floats, NaN where blank; row 0 is the lower edge, and of files that say
            where they are the southern one, east to the left.
        position: Of the centre; ``None`` without a celestial WCS.
        pixel_scale: Arcsec per pixel, the same both ways; ``None`` without a celestial WCS.
        is_physical: False for pictures, whose intensities were scaled by somebody before.
        unit: Of physical pixels, as the file writes it; ``None`` if it does not.
    """

    pixels: NDArray[np.floating[Any]]
    position: SkyCoord | None = None
    pixel_scale: float | None = None
    is_physical: bool = True
    unit: str | None = None

    def as_bytes(self) -> tuple[dict[str, Any], bytes]:
        """Give what JSON can hold, and the pixels as bytes."""
        place = None if self.position is None else [self.position.ra.deg, self.position.dec.deg]
        facts = {"position": place, "shape": self.pixels.shape, "kind": self.pixels.dtype.str}
        others = ("pixel_scale", "is_physical", "unit")
        return facts | {name: getattr(self, name) for name in others}, self.pixels.tobytes()

    @classmethod
    def from_bytes(cls, facts: dict[str, Any], data: bytes) -> "ImageFile":
        """Undo ``as_bytes``."""
        facts = dict(facts)
        shape, kind, place = facts.pop("shape"), facts.pop("kind"), facts.pop("position")
        pixels = np.frombuffer(bytearray(data), dtype=kind).reshape(shape)
        return cls(pixels, None if place is None else SkyCoord(*place, unit="deg"), **facts)


def read_image(path: Path) -> ImageFile:
    """Read one image.

    Args:
        path: Ends in one of ``ENDINGS``.

    Raises:
        DataError: If the file is missing, damaged, empty, blank, or not one two-dimensional image.
    """
    if path.name.startswith("._"):
        raise DataError(
            f"{path}: is a companion file that a Mac leaves beside an image; remove the row or file."
        )
    if not is_file(path):
        raise DataError(f"{str(path)[:200]}: no such file; correct the file column.")
    try:
        with path.open("rb") as file:
            return decode(file, str(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); fetch it again.") from None


def decode(file: OpenFile, name: str, *, max_pixels: int = MAX_PIXELS) -> ImageFile:
    """Read one image from an open file; its size is looked at before its pixels.

    Args:
        file: Opened for reading bytes.
        name: Of the file: its ending says the format, and errors name it.
        max_pixels: A larger image is refused.

    Raises:
        DataError: As ``read_image``.
    """
    ending = name.lower()
    if ending.endswith(FITS_ENDINGS):
        image = _read_fits(file, name, max_pixels)
    elif ending.endswith(PICTURES):
        image = ImageFile(_plane(read_picture(file, name, max_pixels), name), is_physical=False)
    elif ending.endswith(".npy"):
        image = ImageFile(_plane(read_npy(file, name, max_pixels), name))
    else:
        raise DataError(f"{name}: unknown ending; use one of {', '.join(ENDINGS)}.")
    if not np.isfinite(image.pixels).any():
        raise DataError(f"{name}: every pixel is blank (NaN); remove the row or fetch it again.")
    return image


def positions_of(files: list[ImageFile]) -> SkyCoord | None:
    """Join the files' positions, NaN where one has none; ``None`` if all have none."""
    known = [file.position for file in files]
    if all(one is None for one in known):
        return None
    degrees = [(np.nan, np.nan) if one is None else (one.ra.deg, one.dec.deg) for one in known]
    ra, dec = np.array(degrees, dtype=float).T
    return SkyCoord(ra, dec, unit="deg")


def _read_fits(file: OpenFile, name: str, max_pixels: int) -> ImageFile:
    with _named(name):
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        plain = unfolded(file, min(max_pixels * BYTES_PER_PIXEL + BESIDE, most_bytes(size)))
        is_packed = any(unit.is_packed for unit in sound(plain)[1])
        plain.seek(0)
    if not is_packed:
        return _read_plain(plain, name, max_pixels)
    most = min(max_pixels, most_pixels(size))
    if apart.is_apart:
        return _read_plain(plain, name, most)
    allowed = Allowance(SECONDS + size / BYTES_A_SECOND, MEMORY + RATIO * size)
    return ImageFile.from_bytes(*_PACKED(plain.read(), name, allowed, max_pixels=most))


def answer(data: bytes, name: str, max_pixels: int) -> tuple[dict[str, Any], bytes]:
    """Read a FITS file in a process apart: how far its tiles unfold is nowhere said."""
    return _read_fits(io.BytesIO(data), name, max_pixels).as_bytes()


def rehearse() -> None:
    """Read an image once, so that what reading prepares is there for all."""
    wcs = {
        f"{key}{axis}": value
        for axis, kind in ((1, "RA---TAN"), (2, "DEC--TAN"))
        for key, value in (("CTYPE", kind), ("CRVAL", 0.0), ("CRPIX", 1.0), ("CDELT", 1e-3))
    }
    file = io.BytesIO()
    fits.PrimaryHDU(np.eye(2), fits.Header(wcs)).writeto(file)
    decode(file, "rehearsal.fits")


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Put a file's name before what is wrong with it."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    except Exception as error:  # astropy raises many kinds over a damaged file
        if apart.is_apart and isinstance(error, MemoryError):
            raise
        reason = " ".join(str(error).split())[:120]
        raise DataError(
            f"{name}: truncated or not FITS ({reason}); fetch the file again."
        ) from None


def _read_plain(file: OpenFile, name: str, max_pixels: int) -> ImageFile:
    with _named(name):
        image = read_first(file, max_pixels=max_pixels)
    kind, stokes = kind_of(image.header), stokes_of(image.header)
    if kind != "image" or stokes != "I":
        raise DataError(
            f"{name}: its cards call it {kind} in Stokes {stokes}, which is no picture of a source; give "
            "the image in Stokes I, or correct BTYPE, EXTNAME or STOKES."
        )
    pixels = _plane(image.pixels, name)
    place = _place(image.header, pixels.shape, name)
    unit = headers.unit_of(image.header)
    if place is None:
        return ImageFile(pixels, unit=unit)
    upright = np.ascontiguousarray(headers.upright(pixels, place))
    with _named(name):
        pixels, scale = _squared(upright, place.scales, max_pixels)
    return ImageFile(pixels, place.position, scale, unit=unit)


def _place(header: fits.Header, shape: tuple[int, ...], name: str) -> headers.Place | None:
    """Read where the picture is, if the header says so at all."""
    try:
        with quietly():
            wcs = headers.celestial(header)
            return None if wcs is None else headers.place_of(wcs, shape)
    except Exception as error:  # astropy raises many kinds over a header that makes no sense
        reason = " ".join(str(error).split())[:120]
        raise DataError(
            f"{name}: where it is on the sky cannot be read ({reason}); correct its WCS cards, or delete "
            "them and give pixel_scale."
        ) from None


def _squared(
    pixels: NDArray[np.floating[Any]], scales: tuple[float, float], max_pixels: int
) -> tuple[NDArray[np.floating[Any]], float]:
    """Resample pixels that are longer one way to squares of their shorter side."""
    if abs(scales[0] / scales[1] - 1) <= SQUARE:
        return pixels, float(np.mean(scales))
    scale, ratio = min(scales), max(scales) / min(scales)
    if ratio > LONGEST or ratio * pixels.size > max_pixels:
        raise DataError(f"its pixels are {ratio:.3g} times as long as wide; correct CDELT or CD.")
    height, width = pixels.shape
    places = []
    for length, own in ((height, scales[1]), (width, scales[0])):
        many = max(2, round(length * own / scale))
        places.append((length - 1) / 2 + (np.arange(many) - (many - 1) / 2) * scale / own)
    rows, columns = np.meshgrid(*places, indexing="ij")
    return interpolation.sample(pixels, rows, columns), scale


def _plane(pixels: NDArray[Any] | None, name: str) -> NDArray[np.floating[Any]]:
    """Drop axes of length one and insist on a picture."""
    if pixels is None or 0 in pixels.shape:
        raise DataError(f"{name}: the image has no pixels; fetch the file again.")
    while pixels.ndim > 2 and 1 in pixels.shape[:-2]:
        pixels = np.squeeze(pixels, axis=pixels.shape.index(1))
    if pixels.ndim != 2 or min(pixels.shape) < 2:
        raise DataError(
            f"{name}: the image has shape {'×'.join(map(str, pixels.shape))}; give one plane, "
            "height × width."
        )
    native = pixels.dtype.newbyteorder("=") if pixels.dtype.kind == "f" else np.dtype(np.float64)
    native = np.promote_types(native, np.float32)  # statistics of half precision overflow
    return np.ascontiguousarray(pixels, dtype=native)
