"""Rows of a corpus: sources with their pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from astropy.coordinates import SkyCoord
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from skylobe.core.errors import DataError


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
