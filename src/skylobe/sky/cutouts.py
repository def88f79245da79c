"""One source's pixels, by its position: the function that people call; ``fetching`` does the work."""

from pathlib import Path
from typing import Any

from skylobe.core.settings import in_unit
from skylobe.sky import fetching
from skylobe.sky.cutout import Cutout
from skylobe.sky.surveys import Survey


def cutout(
    position: Any,  # noqa: ANN401  (whatever names a place)
    survey: Survey | str = "first",
    size: Any = 270.0,  # noqa: ANN401  (a number or a quantity)
    *,
    out: str | Path | None = None,
    **settings: Any,  # noqa: ANN401  (the fields of CutoutSettings)
) -> Cutout:
    """Fetch one source's pixels, in Jy/beam, north up and east left.

    Args:
        position: Such as ``"206.42 +23.38"``, ``"13:45:41.2 +23:22:53"`` or ``"J134541.2+232253"``; a
            ``SkyCoord``, a pair of degrees, a row of a table; or an object's name with ``resolve=True``.
        survey: Name of the survey; ``skylobe surveys`` lists them.
        size: Side of the square, as a ``Quantity`` or in arcsec.
        out: FITS file to write as well.
        **settings: ``pixel_scale`` (a ``Quantity``, or arcsec; the survey's own by default), ``service``
            (``"hips2fits"`` or ``"skyview"``), ``mosaics`` (a folder of FITS mosaics to cut out of
            instead), ``base_url``, ``resolve``, ``min_finite``: the fields of
            ``sky.settings.CutoutSettings``.

    Raises:
        PositionError: If the position cannot be read.
        OutsideFootprintError: If the survey does not reach it; nothing is sent then.
        UnavailableError: If a service has no pixels there, or fails.
        ConfigError: If there is no such survey, service or setting, or the size is none.

    >>> cutout("206.42 +23.38", "sloan")
    Traceback (most recent call last):
        ...
    skylobe.core.errors.ConfigError: There is no survey 'sloan'; ...
    """
    found = fetching.fetch(position, survey, in_unit(size, "arcsec", "size"), **settings)
    if out is not None:
        fetching.save(found, Path(out))
    return found
