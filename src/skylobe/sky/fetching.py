"""Position, survey and angular size to a ``Cutout``, from a service or from mosaics; and to a file.

One cut-out at a time, asked for once: whether to ask again is the caller's choice, and an error's
``transient`` says whether that can help.
"""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.units import Quantity

from skylobe.core import storage
from skylobe.core.errors import ConfigError
from skylobe.core.settings import given
from skylobe.core.version import VERSION
from skylobe.sky import footprints, surveys
from skylobe.sky.cutout import Cutout
from skylobe.sky.positions import parse_position
from skylobe.sky.services import SERVICES, answers, http
from skylobe.sky.services.answers import Field
from skylobe.sky.services.http import Patience, Request
from skylobe.sky.services.mosaics import Mosaics
from skylobe.sky.settings import CutoutSettings
from skylobe.sky.surveys import Survey


def fetch(
    position: Any,  # noqa: ANN401
    survey: Survey | str,
    size: Quantity | float,
    *,
    source_id: str | None = None,
    patience: Patience | None = None,
    **settings: Any,  # noqa: ANN401
) -> Cutout:
    """Fetch one cut-out.

    Args:
        position: Whatever ``parse_position`` reads.
        survey: Survey or its name.
        size: Angle of the side; a bare number is arcsec.
        source_id: Name of the source; ``None`` makes one of the position.
        patience: How long the service may take.
        **settings: The fields of ``sky.settings.CutoutSettings``: pixel scale, service or mosaics.

    Raises:
        PositionError: If the position cannot be read.
        OutsideFootprintError: If the survey does not reach it; nothing was sent then.
        NoPixelsError: If the survey reaches it and has too few pixels.
        ServiceDownError, ServiceTimeoutError, NonsenseError: If the service fails.
        ConfigError: If the survey has no service, or the size is none.
    """
    asked, chosen = given(CutoutSettings, settings, "A cut-out"), _survey(survey)
    there = parse_position(position, resolve=asked.resolve)
    scale = asked.pixel_scale or chosen.pixel_scale
    field = Field(
        there, width_of(size, scale), scale, chosen, source_id or name_of(there), asked.min_finite
    )
    if asked.mosaics is not None:
        return _cut(Mosaics(Path(asked.mosaics)), field)
    return _ask(field, asked, patience or Patience())


def fetcher(
    survey: Survey | str,
    width_pix: int,
    pixel_scale: float,
    *,
    patience: Patience | None = None,
    **settings: Any,  # noqa: ANN401
) -> Callable[[str, SkyCoord], Cutout]:
    """Make the function from a source's name and position to its cut-out, for many sources.

    Args:
        survey: Survey or its name.
        width_pix: Pixels, both ways.
        pixel_scale: Arcsec per pixel.
        patience: How long the service may take for each.
        **settings: As in ``fetch``; mosaics are indexed once.

    Raises:
        ConfigError: If the survey or service is unknown, or does not go with the other.
    """
    asked, chosen = given(CutoutSettings, settings, "A cut-out"), _survey(survey)
    tiles = None if asked.mosaics is None else Mosaics(Path(asked.mosaics))
    nowhere = SkyCoord(0, 0, unit="deg")
    if tiles is None:  # refuses a service that cannot serve before the first source is asked for
        _request(Field(nowhere, width_pix, pixel_scale, chosen), asked)

    def fetch_one(source_id: str, position: SkyCoord) -> Cutout:
        field = Field(position, width_pix, pixel_scale, chosen, source_id, asked.min_finite)
        return _ask(field, asked, patience or Patience()) if tiles is None else _cut(tiles, field)

    return fetch_one


def request(
    position: Any,  # noqa: ANN401
    survey: Survey | str,
    size: Quantity | float,
    **settings: Any,  # noqa: ANN401
) -> Request:
    """Describe the request that ``fetch`` would send, without sending it.

    Args:
        position: Whatever ``parse_position`` reads.
        survey: Survey or its name.
        size: Angle of the side; a bare number is arcsec.
        **settings: As in ``fetch``.

    >>> request("J134541.2+232253", "nvss", 600).params[0]
    ('hips', 'CDS/P/NVSS')
    """
    asked, chosen = given(CutoutSettings, settings, "A cut-out"), _survey(survey)
    scale = asked.pixel_scale or chosen.pixel_scale
    return _request(Field(parse_position(position), width_of(size, scale), scale, chosen), asked)


def _survey(survey: Survey | str) -> Survey:
    return surveys.get(survey) if isinstance(survey, str) else survey


def _cut(tiles: Mosaics, field: Field) -> Cutout:
    return tiles.cutout(
        field.position, field.survey, field.width_pix, field.pixel_scale,
        min_finite=field.min_finite, source_id=field.source_id,
    )  # fmt: skip


def _ask(field: Field, settings: CutoutSettings, patience: Patience) -> Cutout:
    sent = _request(field, settings)
    footprints.require(field.survey, field.position)
    answer = http.send(sent, timeout=patience.timeout, deadline=patience.deadline)
    return answers.read_answer(answer, field)


def _request(field: Field, settings: CutoutSettings) -> Request:
    survey, service = field.survey, settings.service
    if service is None:
        service = next((one for one in SERVICES if _has(one, survey)), None)
    if service is None:
        raise ConfigError(
            f"No service gives {survey.title}; give a folder of its mosaics ({survey.sources['service']})."
        )
    if service not in SERVICES:
        raise ConfigError(f"There is no service {service!r}; choose {' or '.join(SERVICES)}.")
    return SERVICES[service].build_request(
        field.position, survey, field.width_pix, field.pixel_scale, base_url=settings.base_url
    )


def _has(service: str, survey: Survey) -> bool:
    return {"hips2fits": survey.hips, "skyview": survey.skyview}[service] is not None


def width_of(size: Quantity | float, pixel_scale: float) -> int:
    """Give the whole number of pixels nearest to an angle.

    Args:
        size: Angle of the side; a bare number is arcsec.
        pixel_scale: Arcsec per pixel.

    Raises:
        ConfigError: If that is no angle, less than two pixels, or more than any cut-out has.

    >>> width_of(270, 1.8), width_of(4.5 * u.arcmin, 1.8)
    (150, 150)
    """
    try:
        arcsec = float(Quantity(size, u.arcsec).value)
    except (u.UnitsError, TypeError, ValueError):
        raise ConfigError(f"{size} is no angle; give arcseconds.") from None
    if not (np.isfinite(arcsec) and pixel_scale > 0 and arcsec / pixel_scale >= 1.5):
        raise ConfigError(
            f"{arcsec:g}″ at {pixel_scale:g}″ per pixel is no picture; give a larger size."
        )
    if (arcsec / pixel_scale) ** 2 > answers.MAX_PIXELS:
        raise ConfigError(
            f"{arcsec:g}″ at {pixel_scale:g}″ per pixel is larger than any cut-out; give a smaller size."
        )
    return round(arcsec / pixel_scale)


def name_of(position: SkyCoord) -> str:
    """Name a source after its position.

    >>> name_of(parse_position("13:45:41.2 -00:30:00"))
    'J134541.2-003000'
    """
    there = position.icrs
    ra = there.ra.to_string(unit=u.hourangle, sep="", precision=1, pad=True)
    dec = there.dec.to_string(unit=u.deg, sep="", precision=0, alwayssign=True, pad=True)
    return f"J{ra}{dec}"


def save(cutout: Cutout, path: str | Path, *, origin: str = "") -> Path:
    """Write a cut-out as FITS, with where it is on the sky, its unit and where it comes from.

    Args:
        cutout: In Jy/beam.
        path: Ends in ``.fits``; appears whole or not at all.
        origin: Where the pixels were fetched, such as a request's address.

    Raises:
        StorageError: If the file cannot be written.
    """
    path = Path(path)
    header = cutout.wcs.to_header()
    header["BUNIT"] = "Jy/beam"
    if cutout.beam is not None:
        (header["BMAJ"], header["BMIN"]) = (axis / 3600 for axis in cutout.beam.axes)
        header["BPA"] = cutout.beam.angle
    header["OBJECT"] = _ascii(cutout.source_id)
    header["SURVEY"] = _ascii(cutout.survey)
    header["CREATOR"] = f"skylobe {VERSION}"
    header["DATE"] = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")[:19]
    known = surveys.SURVEYS.get(cutout.survey)
    if known is not None:
        header["RESTFRQ"] = (known.frequency * 1e6, "[Hz] centre of the survey's band")
        header["HISTORY"] = _ascii(f"Cite: {known.citation}")
    if origin:
        header["HISTORY"] = _ascii(f"From: {origin}")
    with storage.write_atomically(path) as temporary:
        fits.PrimaryHDU(cutout.pixels, header).writeto(temporary, overwrite=True)
    return path


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode("ascii")
