"""Where cut-outs come from: one file per service.

A service over the network only describes its requests, with ``build_request``; ``http.send`` sends any of
them and ``answers.read_answer`` judges what comes back, so that all services fail in the same way.
``mosaics`` cuts out of files on disk.
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
