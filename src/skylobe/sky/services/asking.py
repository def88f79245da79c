"""A survey and a grid to a function that fetches any source's cut-out, for one source or a million."""

from collections.abc import Callable

from astropy.coordinates import SkyCoord

from skylobe.errors import ConfigError
from skylobe.records import Cutout
from skylobe.sky.services import SERVICES
from skylobe.sky.services.answers import read_answer
from skylobe.sky.services.http import DEADLINE, TIMEOUT, send
from skylobe.sky.surveys import Survey


def service_of(survey: Survey) -> str:
    """Name the service that holds a survey: its HiPS if it has one, else SkyView.

    Raises:
        ConfigError: If no service is known to hold it.
    """
    if survey.hips is not None:
        return "hips2fits"
    if survey.skyview is not None:
        return "skyview"
    raise ConfigError(
        f"No service is known to hold {survey.title}; give a folder of its mosaics instead."
    )


def fetcher(
    survey: Survey,
    width_pix: int,
    pixel_scale: float,
    *,
    service: str | None = None,
    base_url: str | None = None,
    timeout: tuple[float, float] = TIMEOUT,
    deadline: float = DEADLINE,
    min_finite: float = 0.5,
) -> Callable[[str, SkyCoord], Cutout]:
    """Make the function from a source's name and position to its cut-out.

    Args:
        survey: Survey to cut out of.
        width_pix: Pixels, both ways.
        pixel_scale: Arcsec per pixel.
        service: One of ``SERVICES``; ``None`` takes the survey's.
        base_url: Another address of the service.
        timeout: Seconds to connect and seconds of silence.
        deadline: Seconds for a whole exchange.
        min_finite: Share of the pixels that must be measured.

    Raises:
        ConfigError: If the service is unknown or does not hold the survey.
    """
    name = service or service_of(survey)
    if name not in SERVICES:
        raise ConfigError(f"There is no service {name!r}; choose {' or '.join(SERVICES)}.")

    def fetch(source_id: str, position: SkyCoord) -> Cutout:
        request = SERVICES[name].build_request(
            position, survey, width_pix, pixel_scale, base_url=base_url
        )
        answer = send(request, timeout=timeout, deadline=deadline)
        return read_answer(
            answer,
            position,
            width_pix,
            pixel_scale,
            survey,
            min_finite=min_finite,
            source_id=source_id,
        )

    return fetch
