"""Gaussian components to pictures of the sky in Jy/beam: *rendered*, never real.

Each catalogued component is an elliptical Gaussian, its deconvolved size convolved with the beam, at
its peak flux. Noise is white noise convolved with the same beam. Diffuse emission that no component
describes is missing.
"""

from dataclasses import dataclass

import numpy as np
import torch
from astropy.coordinates import SkyCoord
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor
from torch.nn import functional

from skylobe.errors import DataError

ARCSEC = np.pi / 180 / 3600
FWHM = float(np.sqrt(8 * np.log(2)))  # full width at half maximum of a Gaussian of unit σ


@dataclass(frozen=True)
class RenderConfig:
    """Geometry of the picture, noise, and how far components are perturbed.

    Args:
        width_pix: Pixels. Width of the square picture.
        pixel_scale: Arcsec per pixel.
        beam: Arcsec. Full width at half maximum of the circular beam.
        noise: Add beam-convolved noise at each field's catalogued rms.
        flux_jitter: Standard deviation of the natural logarithm of the flux factor.
        size_jitter: Standard deviation of the natural logarithm of the size factor.
        position_jitter: Arcsec. Standard deviation of the shift, per axis.
    """

    width_pix: int = 150
    pixel_scale: float = 1.8
    beam: float = 5.4
    noise: bool = True
    flux_jitter: float = 0.0
    size_jitter: float = 0.0
    position_jitter: float = 0.0


@dataclass(frozen=True)
class Components:
    """Gaussian components of a catalogue, one entry each.

    Args:
        ra: Degrees, J2000.
        dec: Degrees, J2000.
        peak: Jy/beam.
        rms: Jy/beam. Local noise.
        major: Arcsec. Deconvolved full width at half maximum; 0 where unresolved.
        minor: Arcsec. Likewise.
        angle: Degrees. Position angle of the major axis, east of north.
    """

    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    peak: NDArray[np.float64]
    rms: NDArray[np.float64]
    major: NDArray[np.float64]
    minor: NDArray[np.float64]
    angle: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Refuse columns of different lengths."""
        lengths = {name: len(column) for name, column in vars(self).items()}
        if len(set(lengths.values())) > 1:
            raise DataError(f"Component columns differ in length: {lengths}; give one entry each.")


class FieldRenderer:
    """Pictures of fields of one component catalogue.

    Args:
        components: The catalogue.
        config: Geometry, noise, perturbation.
    """

    def __init__(self, components: Components, config: RenderConfig | None = None) -> None:
        self.components = components
        self.config = config or RenderConfig()
        self._tree = cKDTree(_unit_vectors(components.ra, components.dec))

    def render(
        self, positions: SkyCoord, generator: torch.Generator
    ) -> Float[Tensor, "source height width"]:
        """Draw the field around each position, in Jy/beam, north up and east left.

        Args:
            positions: Field centres.
            generator: Source of noise and perturbation.
        """
        config = self.config
        centres = _unit_vectors(positions.ra.deg, positions.dec.deg)
        reach = (config.width_pix * config.pixel_scale / np.sqrt(2) + 30) * ARCSEC
        found = self._tree.query_ball_point(centres, reach, workers=1)
        field = np.repeat(np.arange(len(found)), [len(rows) for rows in found])
        rows = np.concatenate([np.asarray(rows, dtype=np.int64) for rows in found])
        pictures = torch.zeros(len(found), config.width_pix, config.width_pix)
        if len(rows):
            shapes = self._pixel_shapes(rows, positions[field], generator)
            pictures.index_add_(0, torch.from_numpy(field), gaussians(shapes, config.width_pix))
        if config.noise:
            pictures += self._noise_levels(centres)[:, None, None] * beam_noise(
                len(found), config.width_pix, config.beam / config.pixel_scale, generator
            )
        return pictures

    def _pixel_shapes(
        self, rows: NDArray[np.int64], centres: SkyCoord, generator: torch.Generator
    ) -> Float[Tensor, "component 6"]:
        """Give amplitude, column, row, σ major, σ minor (pixels) and angle (radians) per component."""
        parts, config = self.components, self.config
        shifts, factors = np.split(
            torch.randn(len(rows), 4, generator=generator).numpy(), 2, axis=1
        )
        east, north = _tangent_offsets(parts.ra[rows], parts.dec[rows], centres)
        offsets = np.stack([-east, north], 1) + shifts * config.position_jitter
        centre_pix = (config.width_pix - 1) / 2
        stretch = np.exp(factors[:, 0] * config.size_jitter)
        sigmas = [
            np.hypot(axis[rows] * stretch, config.beam) / (FWHM * config.pixel_scale)
            for axis in (parts.major, parts.minor)
        ]
        amplitude = parts.peak[rows] * np.exp(factors[:, 1] * config.flux_jitter)
        pixels = offsets / config.pixel_scale + centre_pix
        columns = [amplitude, pixels[:, 0], pixels[:, 1], *sigmas, np.radians(parts.angle[rows])]
        return torch.from_numpy(np.stack(columns, 1).astype(np.float32))

    def _noise_levels(self, centres: NDArray[np.float64]) -> Float[Tensor, " source"]:
        """Give each field the noise catalogued for the nearest component, in Jy/beam."""
        nearest = self._tree.query(centres, workers=1)[1]
        return torch.from_numpy(self.components.rms[nearest].astype(np.float32))


def gaussians(
    shapes: Float[Tensor, "component 6"], width_pix: int
) -> Float[Tensor, "component height width"]:
    """Draw each component on its own picture; row 0 is the southern edge, as in FITS.

    Args:
        shapes: Amplitude, column, row, σ of major and minor axis (pixels), position angle (radians,
            from north through east, which is left).
        width_pix: Pixels. Width of the picture.
    """
    amplitude, column, row, major, minor, angle = (
        part[:, None, None] for part in shapes.unbind(dim=1)
    )
    grid = torch.arange(width_pix, dtype=shapes.dtype, device=shapes.device)
    x, y = grid[None, None, :] - column, grid[None, :, None] - row
    sin, cos = angle.sin(), angle.cos()
    along, across = (y * cos - x * sin) / major, (x * cos + y * sin) / minor
    return amplitude * torch.exp(-0.5 * (along**2 + across**2))


def beam_noise(
    n_fields: int, width_pix: int, beam_pix: float, generator: torch.Generator
) -> Float[Tensor, "source height width"]:
    """Draw unit-variance noise with the correlation of a circular Gaussian beam.

    Args:
        n_fields: Pictures to make.
        width_pix: Pixels. Width of a picture.
        beam_pix: Pixels. Full width at half maximum of the beam.
        generator: Source of the noise.
    """
    sigma = beam_pix / FWHM
    radius = int(np.ceil(4 * sigma))
    kernel = torch.exp(-(torch.arange(-radius, radius + 1.0) ** 2) / (2 * sigma**2))
    kernel = kernel / kernel.square().sum().sqrt()
    padded = width_pix + 2 * radius
    white = torch.randn(n_fields, 1, padded, padded, generator=generator)
    smooth = functional.conv2d(white, kernel[None, None, None, :])
    return functional.conv2d(smooth, kernel[None, None, :, None])[:, 0]


def _unit_vectors(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.float64]:
    ra, dec = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], -1)


def _tangent_offsets(
    ra: NDArray[np.float64], dec: NDArray[np.float64], centres: SkyCoord
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Project onto the plane of the sky (SIN, as FIRST images); arcsec east and north."""
    ra, dec = np.radians(ra), np.radians(dec)
    turn, centre_dec = ra - centres.ra.rad, centres.dec.rad
    east = np.cos(dec) * np.sin(turn)
    north = np.sin(dec) * np.cos(centre_dec) - np.cos(dec) * np.sin(centre_dec) * np.cos(turn)
    return east / ARCSEC, north / ARCSEC
