"""Rows of a corpus: sources with their pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from astropy.coordinates import SkyCoord
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from skylobe.core.errors import DataError
from skylobe.sky.settings import CorpusSettings

PLAIN = {"lance-encoding:compression": "none", "lance-encoding:structural-encoding": "fullzip"}


@dataclass(frozen=True)
class Rows:
    """Sources to append, or a batch of those read.

    Args:
        ids: One distinct name per row.
        positions: Of the fields' centres.
        pixels: Jy/beam, ``(row, height, width)``, NaN where blank; rows that failed are all NaN.
        source_ids: Name of the source that each row shows; ``None`` where that is its own name.
        sizes: Arcsec. Largest angular size from a catalogue, NaN where unknown; ``None`` for none.
        reasons: Why a row has no pixels, empty where it has; ``None`` if all have.
    """

    ids: NDArray[np.str_]
    positions: SkyCoord
    pixels: Float[Tensor, "row height width"]
    source_ids: NDArray[np.str_] | None = None
    sizes: NDArray[np.floating[Any]] | None = None
    reasons: NDArray[np.str_] | None = None

    def __post_init__(self) -> None:
        """Insist on one entry of each per row."""
        lengths = {k: len(v) for k, v in vars(self).items() if v is not None}
        if len(set(lengths.values())) > 1:
            raise DataError(f"Rows of a corpus differ in length: {lengths}; give one entry each.")

    def __len__(self) -> int:
        return len(self.ids)


def rows_of(batch: pa.RecordBatch | pa.Table, pixels: Tensor) -> Rows:
    """Join what the table says of sources with their pixels."""
    return Rows(
        ids=np.array(batch["id"].to_pylist(), dtype=np.str_),
        positions=SkyCoord(batch["ra"].to_numpy(), batch["dec"].to_numpy(), unit="deg"),
        pixels=pixels,
        source_ids=np.array(batch["source_id"].to_pylist(), dtype=np.str_),
        sizes=batch["size"].to_numpy(),
    )


def any_of(ids: Sequence[str] | NDArray[np.str_]) -> str:
    """Write the condition that a row's name is one of these."""
    listed = ", ".join("'" + str(one).replace("'", "''") + "'" for one in ids)
    return f"id IN ({listed})"


def tabulate(rows: Rows, settings: CorpusSettings) -> pa.Table:
    """Lay rows out as they are stored."""
    width = settings.width_pix
    reasons = rows.reasons if rows.reasons is not None else np.full(len(rows), "")
    failed = reasons != ""
    pixels, unit = rows.pixels.float().flatten(1), torch.ones(len(rows))
    if settings.depth == "float16":
        peak = pixels.nan_to_num().abs().amax(1)
        unit = torch.where(peak > 0, peak, unit)
        pixels = (pixels / unit[:, None]).half()
    stored = pa.FixedSizeListArray.from_arrays(
        pa.array(pixels.contiguous().flatten().numpy()), width**2, mask=pa.array(failed)
    )
    sizes = np.full(len(rows), np.nan) if rows.sizes is None else rows.sizes
    columns = {
        "id": pa.array(rows.ids.tolist(), pa.string()),
        "source_id": pa.array(
            (rows.ids if rows.source_ids is None else rows.source_ids).tolist(), pa.string()
        ),
        "ra": pa.array(rows.positions.ra.deg, pa.float64()),
        "dec": pa.array(rows.positions.dec.deg, pa.float64()),
        "size": pa.array(sizes, pa.float32()),
        "survey": pa.array([settings.survey] * len(rows), pa.string()),
        "pixel_scale": pa.array(np.full(len(rows), settings.pixel_scale), pa.float32()),
        "status": pa.array(np.where(failed, "failed", "accepted").tolist(), pa.string()),
        "reason": pa.array(reasons.tolist(), pa.string()),
        "unit": pa.array(unit.numpy(), pa.float32()),
        "pixels": stored,
    }
    fields = [
        pa.field(name, column.type, metadata=PLAIN if name == "pixels" else None)
        for name, column in columns.items()
    ]
    return pa.Table.from_arrays(list(columns.values()), schema=pa.schema(fields))


def as_tensor(batch: pa.RecordBatch, settings: CorpusSettings) -> Float[Tensor, "row height width"]:
    """View the stored pixels as a tensor, without copying where they are in 32 bits."""
    width = settings.width_pix
    pixels = from_dlpack(batch["pixels"].flatten()).reshape(-1, width, width)
    if settings.depth == "float32":
        return pixels
    unit = torch.from_numpy(batch["unit"].to_numpy(zero_copy_only=False).copy())
    return pixels.float() * unit[:, None, None]
