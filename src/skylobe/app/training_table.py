"""Tagged sources to a table with images that ``skylobe finetune --data`` learns from."""

import csv
import io
import zipfile
from collections.abc import Sequence

import numpy as np
from PIL import Image

from skylobe.app.tags import SEPARATOR, Tagged, counts
from skylobe.core.errors import ConfigError, DataError
from skylobe.core.spreadsheets import as_cells
from skylobe.models.settings import GALLERY_GRID
from skylobe.search.store import SourceIndex

TABLE = "sources.csv"
BATCH = 512
NOTE = """{n} sources with one class each, of {classes}.
{left_out} tagged sources are left out: they have none of these tags, or several, or are not in the index.

The images are the index's thumbnails, {pix}×{pix} pixels of {scale}″, as the encoder sees them.
Unpack, and:

    skylobe finetune --data {table} --options.pixel_scale {scale} --out classifier
"""


def pack(index: SourceIndex, tagged: Tagged, classes: Sequence[str] = ()) -> bytes:
    """Write a ZIP file with a table (id, file, label, tags, ra, dec), the images, and how to use them.

    Args:
        index: Holds the sources' images and positions.
        tagged: Their tags.
        classes: Tags that are classes; all by default. A source must have exactly one of them.

    Raises:
        ConfigError: If no source has.
    """
    wanted = list(classes) or list(counts(tagged))
    chosen = {
        one: own[0]
        for one, tags in tagged.items()
        if one in index and len(own := [tag for tag in tags if tag in wanted]) == 1
    }
    if not chosen:
        raise ConfigError("No source has exactly one of these tags; tag some, or choose others.")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as file:
        names = _add_images(file, index, list(chosen))
        usable = [one for one in chosen if one in names]
        file.writestr(TABLE, _table(index, usable, names, chosen, tagged))
        note = NOTE.format(
            n=len(usable),
            classes=", ".join(sorted({chosen[one] for one in usable})),
            left_out=len(tagged) - len(usable),
            pix=GALLERY_GRID.crop_pix,
            scale=GALLERY_GRID.pixel_scale,
            table=TABLE,
        )
        file.writestr("README.txt", note)
    return packed.getvalue()


def _add_images(file: zipfile.ZipFile, index: SourceIndex, ids: list[str]) -> dict[str, str]:
    """Write the thumbnails, and give the file of each source that has one."""
    names = {}
    for start in range(0, len(ids), BATCH):
        part = ids[start : start + BATCH]
        for number, (one, plane) in enumerate(zip(part, _planes(index, part), strict=True), start):
            if plane is not None and plane.any():
                # an id may hold whatever a file's name may not
                names[one] = f"images/{number:06d}.png"
                picture = io.BytesIO()
                Image.fromarray(np.ascontiguousarray(plane[::-1])).save(picture, "PNG")
                file.writestr(names[one], picture.getvalue())
    return names


def _planes(index: SourceIndex, ids: list[str]) -> list[np.ndarray | None]:
    rows = index.rows_of(ids)
    try:
        return list(index.thumbnails(rows))
    except DataError:  # one of them cannot be read; the others can
        return [None if len(ids) == 1 else _planes(index, [one])[0] for one in ids]


def _table(
    index: SourceIndex,
    ids: list[str],
    names: dict[str, str],
    chosen: dict[str, str],
    tagged: Tagged,
) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "file", "label", "tags", "ra", "dec"])
    places = index.positions[index.rows_of(ids)]
    for one, ra, dec in zip(ids, places.ra.deg, places.dec.deg, strict=True):
        place = [f"{ra:.7f}", f"{dec:.7f}"] if np.isfinite(ra) else ["", ""]
        texts = [one, names[one], chosen[one], SEPARATOR.join(tagged[one])]
        writer.writerow([*as_cells(texts, safe=True), *place])
    return text.getvalue()
