"""Results to files that other tools read, and back. Model folders are ``checkpoint``'s, not here."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from skylobe import storage
from skylobe.decisions import Decisions
from skylobe.errors import DataError
from skylobe.probe import CurvePoint
from skylobe.records import Embeddings, ImageSet


def write_embeddings(path: Path, embeddings: Embeddings, image_set: ImageSet) -> Path:
    """Write one row per source, Parquet: its name, its vector, and what is known of it.

    Args:
        path: File to write, complete or not at all.
        embeddings: The vectors; model name and number of views go into the file's metadata.
        image_set: The set they were made from; gives label, ra and dec where known.
    """
    width = embeddings.vectors.shape[1]
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(embeddings.vectors.ravel()), width)
    columns: dict[str, Any] = {"source_id": pa.array(embeddings.source_ids), "embedding": vectors}
    if image_set.labels is not None:
        names = dict(enumerate(image_set.class_names))
        columns["label"] = pa.array(
            [names.get(one) for one in image_set.labels.tolist()], pa.string()
        )
    if image_set.positions is not None:
        columns["ra"] = pa.array(image_set.positions.ra.deg)
        columns["dec"] = pa.array(image_set.positions.dec.deg)
    metadata = {
        "model": embeddings.model_name,
        "n_views": str(embeddings.n_views),
        "data": image_set.name,
    }
    with storage.write_atomically(path) as temporary:
        pq.write_table(pa.table(columns, metadata=metadata), temporary)
    return path


def read_embeddings(path: Path) -> Embeddings:
    """Read what ``write_embeddings`` wrote, or any Parquet table with the same two columns.

    Raises:
        DataError: If the file cannot be read or the columns are missing.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid):
        raise DataError(
            f"{path}: not a Parquet table; make one with skylobe embed --out {path.stem}.parquet."
        ) from None
    if not {"source_id", "embedding"} <= set(table.column_names):
        raise DataError(
            f"{path}: has the columns {', '.join(table.column_names)}; source_id and embedding are "
            "needed, as skylobe embed writes them."
        )
    metadata = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
    return Embeddings(
        vectors=np.array(table["embedding"].to_pylist(), dtype=np.float32),
        source_ids=np.array(table["source_id"].to_pylist(), dtype=np.str_),
        model_name=metadata.get("model", "unknown"),
        n_views=int(metadata.get("n_views", 1)),
    )


def write_curves(path: Path, curves: Mapping[str, Sequence[CurvePoint]]) -> Path:
    """Write label curves as CSV: one row per model and count of labels, errors in per cent.

    Args:
        path: File to write, complete or not at all.
        curves: Points by model name.
    """
    names = ["model", "n_labels", "error", "standard_error", "low", "high", "n_draws", "n_test"]
    with storage.write_atomically(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for name, points in curves.items():
            for one in points:
                numbers = [one.mean, one.standard_error, *one.interval]
                rounded = [f"{number:.3f}" for number in numbers]
                writer.writerow([name, one.n_labels, *rounded, len(one.errors), one.n_test])
    return path


def write_section(path: Path, name: str, text: str) -> Path:
    """Put text between the marks of a section of a Markdown file; a new section goes to the end.

    Args:
        path: File to change, complete or not at all; made if missing.
        name: Of the section, in its marks.
        text: Markdown.
    """
    start, end = f"<!-- {name}: made by a command -->", f"<!-- end of {name} -->"
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    after = "\n"
    if start in before:
        before, _, rest = before.partition(start)
        after = rest.partition(end)[2]
    elif before:
        before = before.rstrip("\n") + "\n\n"
    with storage.write_atomically(path) as temporary:
        temporary.write_text(f"{before}{start}\n\n{text}\n\n{end}{after}", encoding="utf-8")
    return path


def write_decisions(path: Path, decisions: Decisions) -> Path:
    """Write a classifier's decisions on a labelled set as CSV: one row per source.

    Args:
        path: File to write, complete or not at all.
        decisions: Of the set; probabilities are the calibrated ones.
    """
    names = decisions.test_set.class_names
    head = ["source_id", "true", "predicted", *(f"p_{one}" for one in names), "abstain", "novelty"]
    with storage.write_atomically(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        for row, source_id in enumerate(decisions.test_set.source_ids):
            classes = [names[decisions.truth[row]], names[decisions.predicted[row]]]
            abstain = str(not decisions.decided[row]).lower()
            numbers = decisions.probabilities[row].tolist()
            writer.writerow([source_id, *classes, *numbers, abstain, decisions.novelty[row]])
    return path
