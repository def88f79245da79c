"""One image file of any format and depth to its pixels: FITS (also .fz, .gz), PNG, JPEG, NPY.

Pixels come out as they are in the file; ``normalise`` scales them. A file that cannot give a picture is
refused by name; it never becomes a silent blank.
"""

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from skylobe.core.errors import DataError
from skylobe.core.paths import is_file
from skylobe.sky import headers, interpolation
from skylobe.sky.fits import FITS_ENDINGS, OpenFile, quietly, read_first, unfolded
from skylobe.sky.kinds import kind_of, stokes_of

PICTURES = (".png", ".jpg", ".jpeg")
ENDINGS = (*FITS_ENDINGS, *PICTURES, ".npy")
MAX_PIXELS = 100_000_000  # a larger picture is a mistake or an attack
BYTES_PER_PIXEL = 8
HEADER_BYTES = 100_000_000  # of all headers and tables beside the image
SQUARE = 0.01  # relative: pixels whose sides differ by less are square


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
        image = ImageFile(_read_picture(file, name, max_pixels), is_physical=False)
    elif ending.endswith(".npy"):
        image = ImageFile(_plane(_read_npy(file, name, max_pixels), name))
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
    try:
        plain = unfolded(file, max_pixels * BYTES_PER_PIXEL + HEADER_BYTES)
        image = read_first(plain, max_pixels=max_pixels)
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    except Exception as error:  # astropy raises many kinds over a damaged file
        reason = " ".join(str(error).split())[:120]
        raise DataError(
            f"{name}: truncated or not FITS ({reason}); fetch the file again."
        ) from None
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
    pixels, scale = _squared(np.ascontiguousarray(headers.upright(pixels, place)), place.scales)
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
    pixels: NDArray[np.floating[Any]], scales: tuple[float, float]
) -> tuple[NDArray[np.floating[Any]], float]:
    """Resample pixels that are longer one way to squares of their shorter side."""
    if abs(scales[0] / scales[1] - 1) <= SQUARE:
        return pixels, float(np.mean(scales))
    scale = min(scales)
    height, width = pixels.shape
    places = []
    for length, own in ((height, scales[1]), (width, scales[0])):
        many = max(2, round(length * own / scale))
        places.append((length - 1) / 2 + (np.arange(many) - (many - 1) / 2) * scale / own)
    rows, columns = np.meshgrid(*places, indexing="ij")
    return interpolation.sample(pixels, rows, columns), scale


def _check_size(shape: tuple[int, ...], name: str, max_pixels: int) -> None:
    if math.prod(shape) > max_pixels:
        raise DataError(
            f"{name}: {'×'.join(map(str, shape[::-1]))} pixels is larger than any cut-out; cut out the "
            "source first."
        )


def _read_picture(file: OpenFile, name: str, max_pixels: int) -> NDArray[np.floating[Any]]:
    try:
        with Image.open(file, formats=("PNG", "JPEG")) as picture:
            _check_size((picture.height, picture.width), name, max_pixels)
            pixels = _brightness(ImageOps.exif_transpose(picture))
    except UnidentifiedImageError:
        raise DataError(f"{name}: neither a PNG nor a JPEG picture; save it again.") from None
    # the warning is an error where all warnings are
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(
            f"{name}: more pixels than any cut-out has; cut out the source first."
        ) from None
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{name}: damaged or not a picture ({error}); save it again.") from None
    return _plane(pixels[::-1], name)  # a picture's first row is its upper edge


def _brightness(picture: Image.Image) -> NDArray[np.float32]:
    """Give a picture's brightness in its own depth; what is transparent is dark."""
    clear = picture.info.get("transparency")
    if picture.mode.startswith(("I", "F")):
        deep = np.asarray(picture, dtype=np.float32)
        return np.where(deep == clear, np.float32(0), deep) if isinstance(clear, int) else deep
    if clear is None and not picture.mode.endswith(("A", "a")):
        return np.asarray(picture.convert("L"), dtype=np.float32)
    shown = np.asarray(picture.convert("RGBA").convert("LA"), dtype=np.float32)
    return np.asarray(shown[..., 0] * (shown[..., 1] / 255), dtype=np.float32)


def _read_npy(file: OpenFile, name: str, max_pixels: int) -> NDArray[Any]:
    """Read an array; what its head says of it is compared with the file before memory is taken."""
    try:
        shape, kind = _npy_head(file)
    except Exception as error:  # the head is read as Python is, and fails in as many ways
        raise DataError(
            f"{name}: damaged, or not a plain array ({type(error).__name__}); save it with numpy.save."
        ) from None
    if kind.kind not in "fiub":
        raise DataError(f"{name}: not an array of numbers; save it with numpy.save.")
    _check_size(shape, name, max_pixels)
    at, end = file.tell(), file.seek(0, io.SEEK_END)
    if end - at < math.prod(shape) * kind.itemsize:
        raise DataError(f"{name}: truncated; fetch the file again.")
    file.seek(0)
    return np.asarray(np.load(file, allow_pickle=False))


def _npy_head(file: OpenFile) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read shape and type of an array; later versions of the format are of other arrays than images."""
    if np.lib.format.read_magic(file) == (1, 0):
        shape, _, kind = np.lib.format.read_array_header_1_0(file)
    else:
        shape, _, kind = np.lib.format.read_array_header_2_0(file)
    if min(shape, default=1) < 0:
        raise ValueError
    return shape, kind


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
