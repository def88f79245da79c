"""Pixels of the user's to the images that a model was made for: one angle, one scaling, at every door.

Files, cut-outs and arrays all come through here. What cannot be brought to a model's scaling is refused.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Shaped
from numpy.typing import NDArray

from skylobe.core.errors import ConfigError, DataError
from skylobe.images.files import ImageFile
from skylobe.images.image_set import ImageSet
from skylobe.images.normalise import normalise
from skylobe.images.scaling import ScalingConfig

WIDTH = 270.0  # arcsec over which every image is scaled: 150 pixels of FIRST, as in MiraBest
USUAL_SCALE = 1.8  # arcsec per pixel taken for images that do not say theirs
PICTURE_SCALING = ScalingConfig("raw", circular=False)
MOST_WIDTH = 4096  # pixels that an image may be surrounded to, unless it has half as many itself
SAME_WIDTH = 0.02  # relative: a pixel of FIRST's


def width_in_pixels(
    shapes: Sequence[tuple[int, ...]], pixel_scale: float | None, width: float = WIDTH
) -> int:
    """Give the pixels nearest to an angle, centred as the images are.

    Args:
        shapes: Of the images. Where all lengths are odd so is the width, else it is even.
        pixel_scale: Arcsec per pixel; ``None`` takes the usual one.
        width: Arcsec.

    Raises:
        ConfigError: If the angle is less than two pixels, or far more than the images have.

    >>> width_in_pixels([(300, 300)], 1.8), width_in_pixels([(99, 99)], 15.0)
    (150, 19)
    """
    exact = width / (pixel_scale or USUAL_SCALE)
    if not exact >= 2:
        raise ConfigError(
            f"{width:g}″ are less than two pixels of {pixel_scale:g}″; correct pixel_scale, or use "
            "images of a sharper survey."
        )
    longest = max((length for shape in shapes for length in shape), default=0)
    if exact > max(MOST_WIDTH, 2 * longest):
        raise ConfigError(
            f"{width:g}″ are {exact:.3g} pixels of {pixel_scale:.3g}″, and the largest image has "
            f"{longest}; correct pixel_scale, or give more sky or wider pixels."
        )
    odd = int(all(length % 2 for shape in shapes for length in shape))
    nearest = int((exact - odd) / 2 + 0.5) * 2 + odd
    return max(2 + odd, nearest)


def normalised(
    files: Sequence[ImageFile],
    ids: NDArray[np.str_],
    width_pix: int,
    scaling: ScalingConfig,
    failures: dict[str, str] | None = None,
) -> Shaped[torch.Tensor, "file 1 width width"]:
    """Normalise files' pixels: physical ones by ``scaling``, pictures by a min–max.

    Args:
        files: Images as they were read.
        ids: Their names.
        width_pix: Pixels. Central square over which each is scaled, and which is kept.
        scaling: Of physical pixels.
        failures: Where it is noted, by name, why a file gives no image; such files are left out of the
            result. Without it the first of them is an error.

    Returns:
        ``(file, 1, width, width)``; ``uint8`` if all are, else ``float32``.
    """
    images = []
    for file, source_id in zip(files, ids, strict=True):
        own = scaling if file.is_physical else PICTURE_SCALING
        try:
            images.append(
                normalise(file.pixels, own, width_pix=width_pix, source_id=str(source_id))
            )
        except DataError as error:
            if failures is None:
                raise
            failures[str(source_id)] = str(error)
    if not images:
        return torch.empty((0, 1, width_pix, width_pix), dtype=torch.uint8)
    if any(image.dtype != np.uint8 for image in images):
        images = [i / np.float32(255) if i.dtype == np.uint8 else i for i in images]
    return torch.from_numpy(np.stack(images))[:, None]


@dataclass(frozen=True)
class Framing:
    """How files of one pixel scale become a set of images.

    Args:
        pixel_scale: Arcsec per pixel; ``None`` if no file says it.
        width: Arcsec. Central square over which each is scaled, and which is kept.
        scaling: Of physical pixels.
    """

    pixel_scale: float | None
    width: float = WIDTH
    scaling: ScalingConfig = field(default_factory=ScalingConfig)

    def image_set(
        self,
        name: str,
        files: Sequence[ImageFile],
        ids: NDArray[np.str_],
        *,
        is_told: bool,
        failures: dict[str, str] | None = None,
    ) -> ImageSet:
        """Normalise files to a set.

        Args:
            name: Of the set.
            files: Images as they were read.
            ids: Their names.
            is_told: The user told the pixel scale. Otherwise a file that does not say its own has a
                remark in the column of that name.
            failures: Where it is noted which files give no image, and why; such files are left out.
        """
        width_pix = width_in_pixels(
            [one.pixels.shape for one in files], self.pixel_scale, self.width
        )
        images = normalised(files, ids, width_pix, self.scaling, failures)
        kept = ~np.isin(ids, list(failures or {}))
        known = np.array([is_told or one.pixel_scale is not None for one in files])[kept]
        remark = f"no pixel scale: taken for {self.pixel_scale or USUAL_SCALE:g}″ per pixel"
        return ImageSet(
            name=name,
            images=images,
            source_ids=ids[kept],
            pixel_scale=self.pixel_scale,
            columns={} if all(known) else {"remark": np.where(known, "", remark)},
            scaling=self.scaling,
            width=self.width,
            physical=False,
            failures=failures or {},
        )


def fitted(image_set: ImageSet, scaling: ScalingConfig) -> ImageSet:
    """Bring a set to the scaling that a model or classifier was made with.

    Args:
        image_set: Images, or physical pixels with a pixel scale, which are normalised.
        scaling: Of the model.

    Raises:
        DataError: If physical pixels have no pixel scale or an image shows nothing, or images hold
            blank pixels.
        ConfigError: If the images were made with another scaling, or over another angle.
    """
    if image_set.is_physical:
        return _normalised_set(image_set, scaling)
    _insist_on_numbers(image_set)
    if image_set.width is not None and abs(image_set.width / WIDTH - 1) > SAME_WIDTH:
        raise ConfigError(
            f"{image_set.name}: its images were scaled over {image_set.width:g}″, and the model's over "
            f"{WIDTH:g}″; load them again without a width."
        )
    has, wanted = _plain(image_set.scaling), _plain(scaling)
    if has == wanted:
        return image_set
    if replace(has, quantise=True) == wanted and image_set.images.dtype != torch.uint8:
        images = (image_set.images.clamp(0, 1) * 255).to(torch.uint8)
        return replace(image_set, images=images, scaling=scaling, physical=False)
    raise ConfigError(
        f"{image_set.name}: its images were made with scaling {_said(has, wanted)}, and the model with "
        f"{_said(wanted, has)}; load them again with the model's scaling (model.preprocessing.scaling)."
    )


def _normalised_set(image_set: ImageSet, scaling: ScalingConfig) -> ImageSet:
    """Normalise physical pixels over the angle that every image is scaled over."""
    if image_set.pixel_scale is None:
        pixels = image_set.images.numpy()
        low, high = np.nanmin(pixels), np.nanmax(pixels)
        raise DataError(
            f"{image_set.name}: its pixels run from {low:.3g} to {high:.3g}, so they are physical, and "
            "it has no pixel scale to cut them by; give pixel_scale, or normalise them first."
        )
    files = [ImageFile(one[0]) for one in image_set.images.numpy()]
    width_pix = width_in_pixels([files[0].pixels.shape], image_set.pixel_scale) if files else 2
    images = normalised(files, image_set.source_ids, width_pix, scaling)
    return replace(image_set, images=images, scaling=scaling, width=WIDTH, physical=False)


def _insist_on_numbers(image_set: ImageSet) -> None:
    if image_set.images.dtype == torch.uint8 or image_set.physical is None:
        return  # those of a set that does not say what it is were looked at
    wrong = ~torch.isfinite(image_set.images).flatten(1).all(1)
    if wrong.any():
        row = int(wrong.nonzero()[0])
        raise DataError(
            f"{image_set.name}: image {row + 1} ({image_set.source_ids[row]}) holds NaN, which no "
            "normalised image does; normalise its physical pixels again."
        )


def _plain(scaling: ScalingConfig) -> ScalingConfig:
    """Forget what a method does not look at."""
    usual = ScalingConfig()
    if scaling.method != "asinh":
        scaling = replace(scaling, softening=usual.softening)
    if scaling.method == "raw":
        scaling = replace(scaling, n_sigma=usual.n_sigma, quantise=False)
    return scaling


def _said(one: ScalingConfig, other: ScalingConfig) -> str:
    """Name the settings in which two scalings differ.

    >>> _said(ScalingConfig("asinh"), ScalingConfig())
    'method asinh'
    """
    names = [each.name for each in dataclasses.fields(one)]
    return ", ".join(
        f"{name} {getattr(one, name)}"
        for name in names
        if getattr(one, name) != getattr(other, name)
    )
