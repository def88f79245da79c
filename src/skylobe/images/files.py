"""One image file of any format and depth to its pixels: FITS (also .fz, .gz), PNG, JPEG, NPY.

Pixels come out as they are in the file; ``normalise`` scales them. A file that cannot give a picture is
refused by name; it never becomes a silent blank.
"""

import io
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning, AstropyWarning
from astropy.wcs import WCS, FITSFixedWarning
from astropy.wcs.utils import proj_plane_pixel_scales
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from skylobe.core.errors import DataError
from skylobe.core.paths import is_file
from skylobe.sky.fits import FILTERS, FITS_ENDINGS, REMARKS

PICTURES = (".png", ".jpg", ".jpeg")
ENDINGS = (*FITS_ENDINGS, *PICTURES, ".npy")
OpenFile = io.BufferedReader | io.BytesIO
MAX_PIXELS = 100_000_000  # a larger picture is a mistake or an attack


@dataclass(frozen=True)
class ImageFile:
    """What an image file holds.

    Args:
        pixels: ``(height, width)`` floats; row 0 is the lower edge.
        position: Of the central pixel; ``None`` without a celestial WCS.
        pixel_scale: Arcsec per pixel; ``None`` without a celestial WCS.
        is_physical: False for pictures, whose intensities were scaled by somebody before.
    """

    pixels: NDArray[np.floating[Any]]
    position: SkyCoord | None = None
    pixel_scale: float | None = None
    is_physical: bool = True


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
        image = ImageFile(_plane(_read_npy(file, name), name))
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
        # a file shorter than its header says gives a user warning, which is an error here
        with _filtering(AstropyUserWarning, "error"), fits.open(file, memmap=False) as hdus:
            hdu = next((h for h in hdus if _is_image(h)), None)
            if hdu is None:
                raise DataError(f"{name}: holds no image; give the file of the cut-out.")
            _check_size(hdu.shape, name, max_pixels)
            pixels, header = _plane(hdu.data, name), hdu.header
    except DataError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:120]
        raise DataError(
            f"{name}: truncated or not FITS ({reason}); fetch the file again."
        ) from None
    position, scale = _celestial(header, pixels.shape)
    return ImageFile(pixels, position, scale)


def _is_image(hdu: Any) -> bool:  # noqa: ANN401  (astropy's HDUs share no public base)
    return bool(getattr(hdu, "is_image", False)) and hdu.header.get("NAXIS", 0) > 0


def _celestial(header: fits.Header, shape: tuple[int, ...]) -> tuple[SkyCoord | None, float | None]:
    """Read position and pixel scale off the header, if it has them."""
    with _filtering(FITSFixedWarning, "ignore"):
        try:
            # remarks are most of many headers, and astropy prints the header anew to read it
            bare = fits.Header([card for card in header.cards if card.keyword not in REMARKS])
            wcs = WCS(bare).celestial
            if not wcs.has_celestial:
                return None, None
            scale = float(np.mean(proj_plane_pixel_scales(wcs)) * 3600)
            return wcs.pixel_to_world((shape[1] - 1) / 2, (shape[0] - 1) / 2).icrs, scale
        except Exception:  # a header that astropy cannot interpret says nothing about the sky
            return None, None


@contextmanager
def _filtering(category: type[Warning], action: Literal["error", "ignore"]) -> Iterator[None]:
    """Ignore astropy's warnings, and treat one kind as told; one thread at a time."""
    with FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        warnings.simplefilter(action, category)
        yield


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
            deep = picture.mode.startswith(("I", "F"))
            pixels = np.asarray(picture if deep else picture.convert("L"), dtype=np.float32)
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


def _read_npy(file: OpenFile, name: str) -> NDArray[Any]:
    try:
        array = np.load(file, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(
            f"{name}: damaged, or not a plain array ({error}); save it with numpy.save."
        ) from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
        raise DataError(f"{name}: not an array of numbers; save it with numpy.save.")
    return array


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
    return np.ascontiguousarray(pixels, dtype=native)
