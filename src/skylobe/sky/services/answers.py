"""The bytes a service sent to a checked ``Cutout``: the one place where answers are judged.

What is wrong with an answer is never repaired silently; only degenerate axes are dropped and a mirrored
picture is turned north up, east left.
"""

import io
from typing import Any, NamedTuple

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs.utils import proj_plane_pixel_scales, wcs_to_celestial_frame
from numpy.typing import NDArray

from skylobe.core.errors import DataError, NonsenseError, NoPixelsError
from skylobe.sky import headers
from skylobe.sky.brightness import to_jansky_per_beam
from skylobe.sky.cutout import Cutout
from skylobe.sky.fits import quietly, read_first
from skylobe.sky.surveys import Survey

SCALE_TOLERANCE = 0.01  # relative
CENTRE_TOLERANCE = 0.55  # pixels: half a pixel, where a service centres on one, and rounding
MAX_PIXELS = 100_000_000
SKEW_TOLERANCE = 0.01  # of the pixel scale: more would be a rotated picture


class Field(NamedTuple):
    """The square of sky that was asked for.

    Args:
        position: Centre.
        width_pix: Pixels, both ways.
        pixel_scale: Arcsec per pixel.
        survey: Whose pixels.
        source_id: Name of the source.
        min_finite: Share of the pixels that must be measured.
    """

    position: SkyCoord
    width_pix: int
    pixel_scale: float
    survey: Survey
    source_id: str = "image"
    min_finite: float = 0.5


def read_answer(answer: bytes, field: Field) -> Cutout:
    """Read a service's answer and insist that it is the cut-out asked for.

    Args:
        answer: What the service sent.
        field: What was asked for.

    Returns:
        ``float32`` pixels, north up and east left; the centre is where the answer's own WCS puts it, up to
        half a pixel from the position asked for.

    Raises:
        NonsenseError: If it is no FITS image, cut short, or of another size, scale, centre or orientation.
        NoPixelsError: If too few pixels are measured, or all are zero.
    """
    pixels, header = _plane(answer, field.source_id)
    pixels = _in_jansky(pixels, header, field.survey, field.source_id)
    width = field.width_pix
    if pixels.shape != (width, width):
        raise NonsenseError(
            f"{field.source_id}: the answer has {pixels.shape[1]}×{pixels.shape[0]} pixels instead of "
            f"{width}×{width}; ask again, or another service."
        )
    pixels, centre, scale = _oriented(
        pixels, header, field.position, field.pixel_scale, field.source_id
    )
    _check_measured(pixels, field.survey, field.min_finite, field.source_id)
    beam = headers.beam_of(header)
    return Cutout(pixels, centre, scale, field.survey.name, field.source_id, beam)


def _in_jansky(
    pixels: NDArray[np.float32], header: fits.Header, survey: Survey, source_id: str
) -> NDArray[np.float32]:
    """Bring the answer's pixels to Jy/beam; one that states no unit has the survey's."""
    try:
        factor = to_jansky_per_beam(headers.unit_of(header) or survey.unit, source_id)
    except DataError as error:
        raise NonsenseError(str(error)) from None
    return pixels if factor == 1 else pixels * np.float32(factor)


def _plane(answer: bytes, source_id: str) -> tuple[NDArray[np.float32], fits.Header]:
    """Read the first image of a FITS file as one plane."""
    if not answer.startswith((b"SIMPLE", b"\x1f\x8b")):
        said = " ".join(answer[:2000].decode("latin-1").split())[:80]
        raise NonsenseError(f"{source_id}: the answer is no FITS file but “{said}”; try later.")
    try:
        image = read_first(io.BytesIO(answer), max_pixels=MAX_PIXELS)
        pixels, header = np.asarray(image.pixels, dtype=np.float32), image.header
    except Exception as error:  # astropy raises many kinds over a damaged file
        reason = " ".join(str(error).split())[:80] or type(error).__name__
        raise NonsenseError(
            f"{source_id}: the answer is damaged or cut short ({reason}); ask again."
        ) from None
    pixels = pixels.reshape([n for n in pixels.shape[:-2] if n != 1] + list(pixels.shape[-2:]))
    if pixels.ndim != 2:
        raise NonsenseError(
            f"{source_id}: the answer has shape {pixels.shape} instead of one plane; pin another HiPS."
        )
    return pixels, header


def _oriented(
    pixels: NDArray[np.float32],
    header: fits.Header,
    position: SkyCoord,
    pixel_scale: float,
    source_id: str,
) -> tuple[NDArray[np.float32], SkyCoord, float]:
    """Check scale, orientation and centre by the answer's own WCS, and turn a mirrored picture."""
    wcs = _celestial(header, source_id)
    matrix = wcs.pixel_scale_matrix * 3600 / pixel_scale
    wcs.wcs.set()  # fills in LONPOLE, which is 0 at the north pole unless the header says otherwise
    turned = np.radians(wcs.wcs.lonpole - 180)
    if max(abs(matrix[0, 1]), abs(matrix[1, 0]), abs(turned)) > SKEW_TOLERANCE:
        raise NonsenseError(f"{source_id}: the answer is rotated; ask for north up.")
    scales = np.abs(np.diag(matrix))
    if np.any(np.abs(scales - 1) > SCALE_TOLERANCE):
        found = proj_plane_pixel_scales(wcs)[0] * 3600
        raise NonsenseError(
            f"{source_id}: the answer has {found:.4g} arcsec per pixel instead of {pixel_scale:.4g}; "
            "ask again, or another service."
        )
    centre = _centre(wcs, pixels.shape, position, source_id)
    rows, columns = (-1 if matrix[1, 1] < 0 else 1), (-1 if matrix[0, 0] > 0 else 1)
    scale = float(scales.mean()) * pixel_scale
    same = np.isclose(scale, pixel_scale, rtol=1e-6)
    return np.ascontiguousarray(pixels[::rows, ::columns]), centre, pixel_scale if same else scale


def _centre(wcs: Any, shape: tuple[int, ...], position: SkyCoord, source_id: str) -> SkyCoord:  # noqa: ANN401
    """Check that the picture is where it should be, and say where it is."""
    there = position.transform_to(wcs_to_celestial_frame(wcs)).spherical
    asked = np.array([there.lon.deg, there.lat.deg])
    # SkyView has written headers to six digits, up to a pixel of FIRST from where the picture is
    if np.array_equal(wcs.wcs.crval, [float(f"{one:.6g}") for one in asked]):
        wcs.wcs.crval = asked
    middle = (np.array(shape[::-1]) - 1) / 2
    try:
        offset = wcs.wcs_world2pix([asked], 0)[0] - middle
    except ValueError:  # a position off the projected sky has no pixel
        offset = np.full(2, np.inf)
    if not np.all(np.abs(offset) <= CENTRE_TOLERANCE):  # also if it is not a number
        raise NonsenseError(
            f"{source_id}: the answer is centred {np.hypot(*offset):.1f} pixels from the position; "
            "ask again, or another service."
        )
    return position.icrs if np.all(np.abs(offset) < 0.01) else wcs.pixel_to_world(*middle).icrs


def _celestial(header: fits.Header, source_id: str) -> Any:  # noqa: ANN401  (astropy's WCS)
    try:
        with quietly():
            wcs = headers.celestial(header)
            if wcs is None:
                raise ValueError("no celestial coordinates")
            wcs_to_celestial_frame(wcs)
    except Exception as error:  # astropy raises many kinds over a damaged header
        reason = " ".join(str(error).split())[:80]
        raise NonsenseError(
            f"{source_id}: the answer does not say where on the sky it is ({reason}); ask again."
        ) from None
    return wcs


def _check_measured(
    pixels: NDArray[np.float32], survey: Survey, min_finite: float, source_id: str
) -> None:
    finite = np.isfinite(pixels)
    if not finite.any() or not pixels[finite].any():
        raise NoPixelsError(
            f"{source_id}: {survey.title} has no pixels there; remove the source or take another survey."
        )
    if finite.mean() < min_finite:
        raise NoPixelsError(
            f"{source_id}: only {finite.mean():.0%} of the pixels are measured; lower min_finite, ask for "
            "less sky, or remove the source."
        )
