"""MIGHTEE: 117 FRI and FRII galaxies in MeerKAT's Early Science mosaics, classified by five experts.

Contents: cut-outs of 270″ at about 1.1″ per pixel, made here from the mosaics of the COSMOS and XMM-LSS
fields and normalised on loading over that angle, as every other set. The folder ``mightee`` holds the
classifications of the record and, of the survey's release, each field's mosaic and source catalogue, named
as the authors' code has them: ``zooniverse_mightee_classifications.parquet``, ``COSMOS_image.fits``,
``COSMOS_source_catalogue.fits`` and the same two of ``XMMLSS``.
Classes: FRI 45, FRII 72, by majority; point sources and unsure ones are left out. Subsets by the share of
the votes: ``confident`` above 0.65, ``uncertain`` up to it.
Splits: none is published; the paper draws 30 % for testing, stratified, anew for each seed.
Licence: that of the record and of the survey's release.
Known overlaps: not looked for; both fields lie in the sky that FIRST mapped.

This loader follows what is published about the data and has not met the real record.
Deviation: the images are normalised as every other set's, in a circle of 270″, of which the encoder sees
the inner 126″; the authors' cut-outs have 114 pixels, as wide as the encoder sees, and their code divides
by the peak minus 3σ without subtracting 3σ, and does not clip a circle.

Source: paper, Section 3.4; doi:10.5281/zenodo.8188867; Heywood et al. 2022.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from astropy.coordinates import SkyCoord
from numpy.typing import NDArray

from skylobe.core import downloads
from skylobe.core.errors import ConfigError, DataError, OutsideFootprintError
from skylobe.core.tables import Catalogue, read_catalogue
from skylobe.images.cutting import WIDTH, width_in_pixels
from skylobe.images.image_set import ImageSet
from skylobe.images.normalise import normalise
from skylobe.sky import surveys
from skylobe.sky.services.mosaics import Mosaics
from skylobe.sky.table_positions import icrs_of

FIELDS = ("COSMOS", "XMMLSS")
CLASSES = ("FRI", "FRII")
SUBSETS = ("confident", "uncertain")
CERTAIN = 0.65  # share of the votes above which the authors call a classification certain
LABELS = "zooniverse_mightee_classifications.parquet"
HOME = "doi:10.5281/zenodo.8188867 and the survey's Early Science release (mighteesurvey.org)"


@dataclass(frozen=True)
class MosaicField:
    """What one field gives.

    Args:
        images: ``(source, row, column)``, normalised.
        source_ids: Their names.
        positions: On the sky.
        pixel_scale: Arcsec per pixel of the mosaic.
    """

    images: list[NDArray[Any]]
    source_ids: list[str]
    positions: SkyCoord
    pixel_scale: float


def load(
    split: str | None = None,
    root: Path | None = None,
    *,
    subset: str | None = None,
) -> ImageSet:
    """Cut the classified sources out of the mosaics and normalise them, field by field.

    Args:
        split: Must be ``None``.
        root: Folder searched first.
        subset: ``confident``, ``uncertain``, or ``None`` for all.

    Raises:
        ConfigError: If a split or an unknown subset is asked for.
        UnavailableError: If classifications, mosaics or catalogues are not here.
        DataError: If they do not fit together or a source cannot be used.
    """
    if split is not None:
        raise ConfigError(f"mightee has no published {split!r} split; draw one by source_id.")
    if subset not in (None, *SUBSETS):
        raise ConfigError(f"mightee has no subset {subset!r}; choose {' or '.join(SUBSETS)}.")
    votes = _classified(downloads.require(f"mightee/{LABELS}", root, home=HOME), subset)
    fields: list[MosaicField] = []
    for name in FIELDS:
        scale = fields[0].pixel_scale if fields else None
        fields.append(_field(name, votes, root, scale))
    ids = [source_id for field in fields for source_id in field.source_ids]
    _check(ids, votes, fields)
    degrees = [(one.positions.ra.deg, one.positions.dec.deg) for one in fields]
    return ImageSet(
        name="mightee",
        images=torch.from_numpy(np.stack([one for field in fields for one in field.images]))[
            :, None
        ],
        source_ids=np.array(ids),
        labels=np.array([CLASSES.index(votes[one][0]) for one in ids], dtype=np.int64),
        class_names=CLASSES,
        positions=SkyCoord(
            *(np.concatenate(part) for part in zip(*degrees, strict=True)), unit="deg"
        ),
        pixel_scale=fields[0].pixel_scale,
        width=WIDTH,
        survey="MIGHTEE",
        citation="Slijepcevic et al. 2024, doi:10.5281/zenodo.8188867; images: Heywood et al. 2022",
        licence="see doi:10.5281/zenodo.8188867 and mighteesurvey.org",
        columns={
            "vote_fraction": np.array([votes[one][1] for one in ids]),
            "field": np.repeat(FIELDS, [len(field.source_ids) for field in fields]),
        },
    )


def _classified(path: Path, subset: str | None) -> dict[str, tuple[str, float]]:
    """Read class and share of the votes by source name, point sources and unsure ones left out."""
    table = read_catalogue(path)
    _require_columns(table, ("filename", "majority_classification", "vote_fraction"), path)
    votes = {
        str(name): (str(label), float(share))
        for name, label, share in zip(
            table["filename"].names(),
            table["majority_classification"].texts(),
            table["vote_fraction"].numbers(),
            strict=True,
        )
        if label in CLASSES and (subset is None or (share > CERTAIN) == (subset == "confident"))
    }
    if not votes:
        raise DataError(f"{path}: classifies no source as FRI or FRII; get it from {HOME} again.")
    return votes


def _require_columns(table: Catalogue, names: tuple[str, ...], path: Path) -> None:
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise DataError(
            f"{path}: has no column {missing[0]} (it has {', '.join(table.columns)}); get it from "
            f"{HOME} again."
        )


def _field(
    name: str, votes: dict[str, tuple[str, float]], root: Path | None, scale: float | None
) -> MosaicField:
    """Cut the classified sources of one field out of its mosaic, on pixels of a scale or its own."""
    path = downloads.require(f"mightee/{name}_source_catalogue.fits", root, home=HOME)
    mosaic = downloads.require(f"mightee/{name}_image.fits", root, home=HOME)
    catalogue = read_catalogue(path)
    _require_columns(catalogue, ("NAME", "RA", "DEC"), path)
    ids = catalogue["NAME"].names()
    rows = np.flatnonzero([one in votes for one in ids])
    positions = icrs_of(catalogue, catalogue["RA"], catalogue["DEC"])[rows]
    images, pixel_scale = _cut(mosaic, ids[rows].tolist(), positions, scale)
    return MosaicField(images, ids[rows].tolist(), positions, pixel_scale)


def _cut(
    path: Path, source_ids: list[str], positions: SkyCoord, scale: float | None
) -> tuple[list[NDArray[Any]], float]:
    """Give the normalised cut-outs and the mosaic's arcsec per pixel; beyond its edge is blank sky."""
    mosaic = Mosaics(path)
    own = mosaic.tiles[0].scale
    scale = own if scale is None else scale
    width_pix = width_in_pixels([(2, 2)], scale)
    images = []
    for source_id, position in zip(source_ids, positions, strict=True):
        asked: dict[str, Any] = {"min_finite": 0.0, "source_id": source_id}
        try:
            pixels = mosaic.cutout(
                position, surveys.get("mightee"), width_pix, scale, **asked
            ).pixels
        except OutsideFootprintError:
            raise DataError(
                f"{path}: does not show {source_id}; take mosaic and catalogue of the same field."
            ) from None
        images.append(normalise(pixels, width_pix=width_pix, source_id=source_id))
    return images, own


def _check(ids: list[str], votes: dict[str, tuple[str, float]], fields: list[MosaicField]) -> None:
    """Insist that every classified source was found once, on mosaics of one scale."""
    lost = sorted(set(votes) - set(ids))
    if lost:
        raise DataError(
            f"{lost[0]} and {len(lost) - 1} more classified sources are in neither field's catalogue; "
            f"get the catalogues from {HOME} again."
        )
    if len(ids) != len(votes):
        twice = next(one for one in ids if ids.count(one) > 1)
        raise DataError(f"{twice}: is in the catalogues twice; keep one of the rows.")
    one, other = (field.pixel_scale for field in fields)
    if not np.isclose(one, other, rtol=1e-2):
        raise DataError(
            f"mightee: the mosaics have {one:.2f}″ and {other:.2f}″ per pixel; take both at one "
            "resolution of the release."
        )
