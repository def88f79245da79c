"""Where cut-outs come from: one file per service, all with the same two functions.

``build_request(position, survey, width_pix, pixel_scale, *, base_url)`` describes a request without sending
it; ``cutout(position, survey, width_pix, pixel_scale, …)`` sends it and gives a checked ``Cutout``. Mosaics
on disk have only the second.
"""

from typing import Protocol

from astropy.coordinates import SkyCoord

from skylobe.sky.services import hips2fits, skyview
from skylobe.sky.services.http import Request
from skylobe.sky.surveys import Survey


class Service(Protocol):
    """What a module of this folder that speaks to a service offers."""

    def build_request(
        self,
        position: SkyCoord,
        survey: Survey,
        width_pix: int,
        pixel_scale: float,
        *,
        base_url: str | None = None,
    ) -> Request:
        """Describe the request for a square of ``width_pix`` pixels without sending it."""
        ...


SERVICES: dict[str, Service] = {"hips2fits": hips2fits, "skyview": skyview}
