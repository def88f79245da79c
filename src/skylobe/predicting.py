"""A classifier and a catalogue or folder to a table of decisions, in batches, resumable.

A file that cannot be used is a row with its reason. Finished parts are kept beside the output until it is
complete, so that a stopped run goes on; images never pile up in memory.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import torch
from astropy.table import Table
from rich.progress import track
from torch import Tensor

from skylobe import storage
from skylobe.catalogues import FORMATS, read_catalogue
from skylobe.checkpoint import write_json
from skylobe.classifier import Classifier
from skylobe.config import ScalingConfig
from skylobe.datasets.image_files import ENDINGS, read_image
from skylobe.datasets.table import WIDTH_PIX, as_text, find_column, normalised, stem
from skylobe.errors import ConfigError, DataError
from skylobe.normalise import as_float
from skylobe.records import ImageSet

OK = "ok"
PART = 512  # sources per part


@dataclass(frozen=True)
class Source:
    """One row of the input.

    Args:
        source_id: Its name.
        path: Its image.
    """

    source_id: str
    path: Path


@dataclass(frozen=True)
class Summary:
    """What came out.

    Args:
        n_sources: Rows.
        n_failed: Rows whose image could not be used.
        n_abstained: Rows left undecided at the level.
    """

    n_sources: int
    n_failed: int
    n_abstained: int


def predict(
    classifier: Classifier,
    data: Path,
    out: Path,
    *,
    level: float = 0.9,
    width_pix: int = WIDTH_PIX,
    pixel_scale: float | None = None,
    progress: bool = False,
) -> Summary:
    """Classify every source of a catalogue or folder.

    Args:
        classifier: What to classify with.
        data: Table with an id and a file column, files relative to it; or a folder of images.
        out: Table to write: FITS, VOTable, ECSV, CSV or Parquet by its ending. One row per source, in
            the input's order: ``source_id``, ``file``, ``status`` (``ok`` or the reason),
            ``predicted``, ``p_CLASS`` per class (calibrated), ``abstain`` (the conformal prediction
            set at ``level`` is not one class), ``novelty`` (above 1: farther from the training
            sources than 95 % of these are from each other).
        level: Share of sources whose true class must be in the prediction set.
        width_pix: Pixels. Central square kept of every image.
        pixel_scale: Arcsec per pixel; ``None`` reads it off each file.
        progress: Show a progress bar.

    Raises:
        DataError: If the catalogue cannot be read.
        ConfigError: If the output's ending is unknown or the level is not between 0 and 1.
    """
    if out.suffix.lower() not in (*FORMATS, ".parquet"):
        raise ConfigError(
            f"{out}: unknown table ending; use one of {', '.join([*FORMATS, '.parquet'])}."
        )
    classifier.calibration.threshold(level)  # refuses the level before any work is done
    sources = list_sources(data)
    folder = _open_parts(out, classifier, sources, level, width_pix, pixel_scale)
    starts = range(0, len(sources), PART)
    for start in track(starts, description="Predicting", disable=not progress):
        part = folder / f"{start:012d}.parquet"
        if not part.exists():
            table = _predict_part(
                classifier, sources[start : start + PART], level, width_pix, pixel_scale
            )
            with storage.write_atomically(part) as path:
                pq.write_table(table, path)
    summary = _join(sorted(folder.glob("*.parquet")), out)
    shutil.rmtree(folder)
    return summary


def list_sources(data: Path) -> list[Source]:
    """List names and image files of a table or folder; the files are not opened.

    Raises:
        DataError: If there is nothing to list.
    """
    if data.is_dir():
        paths = sorted(one for one in data.iterdir() if one.name.lower().endswith(ENDINGS))
        if not paths:
            raise DataError(f"{data}: holds no image; put {', '.join(ENDINGS)} files into it.")
        return [Source(stem(one), one) for one in paths]
    if not data.is_file():
        raise DataError(f"{data}: no such table or folder; correct the path.")
    table = read_catalogue(data)
    ids, files = (find_column(table, part) for part in ("id", "file"))
    if files is None:
        raise DataError(
            f"{data}: has no file column; name one file or filename "
            f"(it has {', '.join(table.colnames)})."
        )
    paths = [data.parent / name for name in as_text(files)]
    names = [stem(one) for one in paths] if ids is None else as_text(ids)
    return [Source(name, path) for name, path in zip(names, paths, strict=True)]


def _open_parts(
    out: Path, classifier: Classifier, sources: list[Source], *settings: float | None
) -> Path:
    """Make the folder of finished parts, emptied if it belongs to other input or settings."""
    folder = out.with_name(out.name + ".parts")
    key = hashlib.sha256(repr((sources, settings, classifier.class_names)).encode())
    key.update(repr((classifier.n_views, classifier.calibration.temperature)).encode())
    key.update(classifier.calibration.scores.tobytes())
    for part in (classifier.head, classifier.model.encoder):
        for weights in part.state_dict().values():
            key.update(weights.cpu().numpy().tobytes())
    record = {"key": key.hexdigest()}
    path = folder / "settings.json"
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) == record:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_json(path, record)
    return folder


def _predict_part(
    classifier: Classifier,
    sources: list[Source],
    level: float,
    width_pix: int,
    pixel_scale: float | None,
) -> pa.Table:
    """Read, classify and tabulate one part."""
    status, images, scales = [], {}, {}
    for row, source in enumerate(sources):
        try:
            images[row], scales[row] = _read(source, width_pix, pixel_scale)
            status.append(OK)
        except DataError as error:
            status.append(str(error))
    n_classes = len(classifier.class_names)
    probabilities = np.full((len(sources), n_classes), np.nan)
    novelty = np.full(len(sources), np.nan)
    for rows, image_set in _by_scale(images, scales):
        vectors = classifier.vectors(image_set)
        probabilities[rows] = classifier.probabilities(vectors)
        novelty[rows] = classifier.novelty(vectors)
    good = np.array([one == OK for one in status])
    abstain = classifier.calibration.abstains(np.nan_to_num(probabilities), level)
    best = np.nan_to_num(probabilities).argmax(1)
    names = classifier.class_names
    columns: dict[str, Any] = {
        "source_id": pa.array([one.source_id for one in sources], pa.string()),
        "file": pa.array([str(one.path) for one in sources], pa.string()),
        "status": pa.array(status, pa.string()),
        "predicted": pa.array(
            [names[c] if fine else None for c, fine in zip(best, good, strict=True)], pa.string()
        ),
    }
    for number, name in enumerate(names):
        columns[f"p_{name}"] = pa.array(probabilities[:, number], mask=~good)
    columns["abstain"] = pa.array(abstain, mask=~good)
    columns["novelty"] = pa.array(novelty, mask=~good)
    return pa.table(columns)


def _read(source: Source, width_pix: int, pixel_scale: float | None) -> tuple[Tensor, float | None]:
    """Read and normalise one image; also give its scale."""
    file = read_image(source.path)
    ids = np.array([source.source_id])
    image = normalised([file], ids, width_pix, ScalingConfig())
    scale = pixel_scale or file.pixel_scale
    return as_float(image)[0], None if scale is None else round(scale, 4)


def _by_scale(
    images: dict[int, Tensor], scales: dict[int, float | None]
) -> Iterator[tuple[list[int], ImageSet]]:
    """Group the images that share a pixel scale."""
    for scale in dict.fromkeys(scales.values()):
        rows = [row for row, one in scales.items() if one == scale]
        stacked = torch.stack([images[row] for row in rows])
        ids = np.array([str(row) for row in rows])
        yield rows, ImageSet("part", stacked, ids, pixel_scale=scale)


def _join(parts: list[Path], out: Path) -> Summary:
    """Write the parts as one table: CSV and Parquet part by part, other formats at once."""
    counts = np.zeros(3, dtype=int)

    def tables() -> Iterator[pa.Table]:
        for part in parts:
            table = pq.read_table(part)
            failed = np.array(table["status"].to_pylist()) != OK
            undecided = sum(bool(one) for one in table["abstain"].to_pylist())
            counts[:] += (len(table), int(failed.sum()), undecided)
            yield table

    schema = pq.read_schema(parts[0])
    kind = out.suffix.lower()
    with storage.write_atomically(out) as path:
        if kind == ".parquet":
            with pq.ParquetWriter(path, schema) as writer:
                for table in tables():
                    writer.write_table(table)
        elif kind == ".csv":
            with pa.csv.CSVWriter(path, schema) as writer:
                for table in tables():
                    writer.write_table(table)
        else:
            whole = _as_astropy(pa.concat_tables(tables()))
            whole.write(path, format=FORMATS[kind], overwrite=True)
    return Summary(*counts.tolist())


def _as_astropy(table: pa.Table) -> Table:
    """Give an astropy table; what a failed row lacks is NaN, an empty name, or abstain."""
    columns: dict[str, Any] = {}
    for name in table.column_names:
        values = table[name].to_pylist()
        if pa.types.is_floating(table[name].type):
            columns[name] = np.array([np.nan if v is None else v for v in values], dtype=float)
        elif pa.types.is_boolean(table[name].type):
            columns[name] = np.array([v is None or v for v in values], dtype=bool)
        else:
            columns[name] = np.array(["" if v is None else v for v in values], dtype=np.str_)
    return Table(columns)
