"""Gaussian components to pictures of the sky in Jy/beam: *rendered*, never real.

Each catalogued component is an elliptical Gaussian, its deconvolved size convolved with the beam asked
for, at the flux catalogued for it; at the catalogue's own beam it has the catalogued peak. Stripes and
noise are added on request. Diffuse emission that no component describes is missing.
"""

import numpy as np
import torch
from astropy.coordinates import SkyCoord
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from skylobe.core.errors import ConfigError
from skylobe.sky.rendering.components import Components
from skylobe.sky.rendering.drawing import REACH, Gaussians, draw
from skylobe.sky.rendering.ellipses import FWHM, areas_of, moments_of
from skylobe.sky.rendering.noise import PatchNoise, beam_noise, sidelobe_stripes
from skylobe.sky.settings import BeamAxes, RenderConfig

ARCSEC = np.pi / 180 / 3600


class FieldRenderer:
    """Pictures of fields of one component catalogue.

    Args:
        components: The catalogue.
        config: Geometry, noise, perturbation.
        patches: Real blank sky; needed for noise of that kind.
        device: Where everything after the look-up of neighbours is computed.
        reach: σ. How far out a component is drawn; ``None`` draws each on its whole picture.

    Raises:
        ConfigError: If the noise asked for is not known.
    """

    def __init__(
        self,
        components: Components,
        config: RenderConfig | None = None,
        *,
        patches: PatchNoise | None = None,
        device: torch.device | str = "cpu",
        reach: float | None = REACH,
    ) -> None:
        self.components, self.config = components, config or RenderConfig()
        self.patches, self.device, self.reach = patches, torch.device(device), reach
        self._refuse_unknown_noise()
        self._tree = cKDTree(_unit_vectors(components.ra, components.dec))
        source = moments_of(components.major, components.minor, components.angle)
        beam = moments_of(*np.moveaxis(np.asarray(components.beam, dtype=float), -1, 0))
        flux = components.peak * areas_of(source + beam) / areas_of(beam)  # Jy
        self._chord = self._reach_of(components.major.max(initial=0))
        self._places = self._tensor(np.radians([components.ra, components.dec]))
        self._source, self._flux = self._tensor(source), self._tensor(flux)

    @property
    def _beam(self) -> BeamAxes:
        return self.config.beam_axes

    def _reach_of(self, largest: float) -> float:
        """Give the chord from a field's centre to the furthest component that can be seen in it."""
        config = self.config
        grown = np.hypot(largest * np.exp(3 * config.size_jitter), self._beam[0])
        margin = REACH / FWHM * grown + 3 * config.position_jitter
        sine = ARCSEC * (config.width_pix * config.pixel_scale / np.sqrt(2) + margin)
        return float(2 * np.sin(np.arcsin(min(1.0, sine)) / 2))

    @torch.no_grad()
    def render(
        self, positions: SkyCoord, generator: torch.Generator
    ) -> Float[Tensor, "source height width"]:
        """Draw the field around each position, in Jy/beam, north up and east left.

        Args:
            positions: Field centres, between the pixels of an even width.
            generator: Source of noise and perturbation; the same one gives the same pictures.
        """
        config, positions = self.config, positions.icrs
        centres = _unit_vectors(positions.ra.deg, positions.dec.deg)
        parts = self._on_pixels(*self._neighbours(centres), positions, generator)
        pictures = draw(parts, len(centres), config.width_pix, self.reach)
        if config.sidelobes:
            beam_pix = self._beam[0] / config.pixel_scale
            pictures += sidelobe_stripes(pictures, config.sidelobes, beam_pix, generator)
        if config.noise:
            levels = self._noise_levels(centres)[:, None, None]
            pictures.addcmul_(levels, self._unit_noise(len(centres), generator))
        return pictures

    def _neighbours(self, centres: NDArray[np.float64]) -> tuple[Tensor, Tensor]:
        """Find the components that may be seen: row of the field and of the component of each pair."""
        found = self._tree.query_ball_point(
            centres, self._chord, workers=torch.get_num_threads(), return_sorted=True
        )
        counts = np.fromiter(map(len, found), dtype=np.int64, count=len(found))
        rows = np.fromiter((row for near in found for row in near), np.int64, count=counts.sum())
        field = np.repeat(np.arange(len(found)), counts)
        return torch.from_numpy(field).to(self.device), torch.from_numpy(rows).to(self.device)

    def _on_pixels(
        self, field: Tensor, rows: Tensor, positions: SkyCoord, generator: torch.Generator
    ) -> Gaussians:
        """Perturb components, convolve them with the beam and place them on their pictures."""
        config = self.config
        kick = self._draw_normal(len(rows), generator)
        centre = self._tensor(np.stack([positions.ra.rad, positions.dec.rad]))[:, field]
        east, north, turn = _project(*self._places[:, rows], *centre)
        east = east / ARCSEC + kick[:, 0] * config.position_jitter
        north = north / ARCSEC + kick[:, 1] * config.position_jitter
        turn = turn + kick[:, 4] * np.radians(config.angle_jitter)
        beam = moments_of(*self._beam)
        moments = _turned(self._source[rows], turn)
        moments = moments * (2 * kick[:, 2:3] * config.size_jitter).exp() + self._tensor(beam)
        half, difference, cross = moments.unbind(1)
        area = (half**2 - difference**2 - cross**2).sqrt()
        flux = self._flux[rows] * (kick[:, 3] * config.flux_jitter).exp()
        middle = (config.width_pix - 1) / 2
        # columns fall to the east, so the covariance changes sign
        pixels = torch.stack([half - difference, half + difference, -cross], 1)
        return Gaussians(
            field,
            (flux * float(areas_of(beam)) / area).float(),
            (middle - east / config.pixel_scale).float(),
            (middle + north / config.pixel_scale).float(),
            (pixels / config.pixel_scale**2).float(),
        )

    def _draw_normal(self, count: int, generator: torch.Generator) -> Float[Tensor, "component 5"]:
        """Draw five numbers per component: east, north, size, flux, angle."""
        drawn = torch.randn(count, 5, generator=generator, device=generator.device)
        return drawn.to(self.device, torch.float64)

    def _unit_noise(
        self, count: int, generator: torch.Generator
    ) -> Float[Tensor, "source height width"]:
        if self.config.noise == "blank_sky" and self.patches is not None:
            return self.patches.draw(count, self.config.width_pix, generator).to(self.device)
        major, minor, angle = self._beam
        beam_pix = (major / self.config.pixel_scale, minor / self.config.pixel_scale, angle)
        return beam_noise(count, self.config.width_pix, beam_pix, generator, self.device)

    def _noise_levels(self, centres: NDArray[np.float64]) -> Float[Tensor, " source"]:
        """Give each field its noise in Jy/beam."""
        if self.config.rms is not None:
            return torch.full((len(centres),), self.config.rms, device=self.device)
        nearest = self._tree.query(centres, workers=torch.get_num_threads())[1]
        return self._tensor(self.components.rms[nearest]).float()

    def _refuse_unknown_noise(self) -> None:
        config = self.config
        if config.noise == "blank_sky" and self.patches is None:
            raise ConfigError("Noise of blank sky needs patches; give patches=PatchNoise(…).")
        levels = self.components.rms
        if config.noise and config.rms is None and not (len(levels) and np.isfinite(levels).all()):
            raise ConfigError("The catalogue states no noise for some components; set rms.")

    def _tensor(self, values: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)


def _unit_vectors(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.float64]:
    ra, dec = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], -1)


def _project(ra: Tensor, dec: Tensor, centre_ra: Tensor, centre_dec: Tensor) -> tuple[Tensor, ...]:
    """Project onto the plane of the sky about the centre (SIN); angles in radians.

    Returns:
        Sines east and north, and the angle from the picture's north to that of the place, through east:
        meridians converge towards the poles.
    """
    hour = ra - centre_ra
    east = dec.cos() * hour.sin()
    north = dec.sin() * centre_dec.cos() - dec.cos() * centre_dec.sin() * hour.cos()
    north_east = -dec.sin() * hour.sin()
    north_north = dec.cos() * centre_dec.cos() + dec.sin() * centre_dec.sin() * hour.cos()
    return east, north, torch.atan2(north_east, north_north)


def _turned(moments: Tensor, angle: Tensor) -> Tensor:
    """Turn ellipses by an angle (radians) from north through east."""
    half, difference, cross = moments.unbind(1)
    cos, sin = (2 * angle).cos(), (2 * angle).sin()
    return torch.stack([half, difference * cos - cross * sin, difference * sin + cross * cos], 1)
