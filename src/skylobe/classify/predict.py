"""A classifier and a catalogue or folder to a table of decisions, in batches, resumable.

A file that cannot be used is a row with its reason. Finished parts are kept beside the output until it is
complete, so that a stopped run goes on; a part is made again when one of its files has changed. While the
network looks at one part, threads read the next; no more than these two are in memory.
"""

import hashlib
import json
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from rich.progress import track
from torch import Tensor

from skylobe.classify.classifier import Classifier
from skylobe.classify.joining import OK, Summary, is_whole, join, path_of
from skylobe.classify.settings import PredictSettings
from skylobe.core import locks, storage
from skylobe.core.errors import ConfigError, DataError
from skylobe.core.table_writing import format_of
from skylobe.images.cutting import normalised, width_in_pixels
from skylobe.images.datasets.listing import Source, list_sources
from skylobe.images.files import read_image
from skylobe.images.image_set import ImageSet
from skylobe.images.normalise import as_float
from skylobe.images.scaling import ScalingConfig
from skylobe.models.inference import fastest
from skylobe.models.settings import Preprocessing

PART = 512  # sources per part
READERS = (
    2  # threads: one holds Python's lock while another clips in compiled code; more gain nothing
)


@dataclass(frozen=True)
class Reading:
    """What became of one row's image.

    Args:
        status: ``ok``, with a remark behind it if something was assumed; or why there is no image.
        image: Normalised, a batch of one.
        pixel_scale: Arcsec per pixel; ``None`` if unknown.
    """

    status: str
    image: Tensor | None = None
    pixel_scale: float | None = None


def predict_files(
    classifier: Classifier,
    data: Any,  # noqa: ANN401  (a path, or a table of a library)
    out: Path,
    settings: PredictSettings | None = None,
    *,
    progress: bool = False,
) -> Summary:
    """Classify every source of a catalogue or folder.

    Args:
        classifier: What to classify with.
        data: What ``list_sources`` lists: any table with a file column, or a folder of images.
        out: Table to write, in one of ``FORMATS`` by its ending. One row per source, in
            the input's order: ``source_id``, ``file``, ``status`` (``ok``, ``ok;`` and what was assumed,
            or the reason),
            ``predicted``, ``p_CLASS`` per class (calibrated), ``abstain`` (the conformal prediction
            set at ``level`` is not one class), ``novelty`` (above 1: farther from the training
            sources than 95 % of these are from each other), and the table's further columns
            (``own_NAME`` where a name is taken).
        settings: Level, pixel scale, how the table is written.
        progress: Show a progress bar.

    Raises:
        DataError: If the catalogue cannot be read.
        ConfigError: If the output's ending is unknown or the level is not between 0 and 1.
        StorageError: If another process writes the same output, or it cannot be written.
    """
    format_of(out)  # refuses the ending before any work is done
    asked = settings or PredictSettings()
    level, pixel_scale = asked.level, asked.pixel_scale
    with locks.holding(out):
        listing = list_sources(data)
        folder = _open_parts(out, classifier, listing.sources, level, pixel_scale)
        parts = [
            listing.sources[start : start + PART] for start in range(0, len(listing.sources), PART)
        ]
        paths = [path_of(folder, number, part) for number, part in enumerate(parts)]
        missing = [
            (path, part)
            for path, part in zip(paths, parts, strict=True)
            if not is_whole(path, len(part))
        ]
        _make_parts(classifier, missing, level, pixel_scale, progress=progress)
        summary = join(paths, out, listing, spreadsheet_safe=asked.spreadsheet_safe)
        shutil.rmtree(folder)
    return summary


def _make_parts(
    classifier: Classifier,
    missing: list[tuple[Path, list[Source]]],
    level: float,
    pixel_scale: float | None,
    *,
    progress: bool,
) -> None:
    """Classify parts and write each to its path."""
    fast = replace(classifier.model, encoder=fastest(classifier.model.encoder))
    classifier = replace(classifier, model=fast)  # once, not for each part and pixel scale
    read = partial(_read, pixel_scale=pixel_scale, preprocessing=fast.preprocessing)
    with _readers() as pool:
        read_parts = _read_ahead(pool, (part for _, part in missing), read)
        for (path, _), (part, readings) in track(
            zip(missing, read_parts, strict=True),
            description="Predicting",
            total=len(missing),
            disable=not progress,
        ):
            table = _tabulate(classifier, part, readings, level)
            with storage.write_atomically(path) as temporary:
                pq.write_table(table, temporary)


def _open_parts(
    out: Path, classifier: Classifier, sources: list[Source], *settings: float | None
) -> Path:
    """Make the folder of finished parts, emptied if it belongs to other input or settings."""
    folder = out.with_name(out.name + ".parts")
    key = hashlib.sha256(repr((sources, settings, classifier.class_names)).encode())
    calibration = classifier.calibration
    key.update(repr((classifier.n_views, calibration.temperature, calibration.doubt)).encode())
    key.update(repr(classifier.model.preprocessing).encode())
    key.update(calibration.scores.tobytes())
    for part in (classifier.head, classifier.model.encoder):
        for weights in part.state_dict().values():
            key.update(weights.cpu().numpy().tobytes())
    record = {"key": key.hexdigest()}
    path = folder / "settings.json"
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) == record:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    storage.write_json(path, record)
    return folder


@contextmanager
def _readers() -> Iterator[Executor]:
    """Give the threads that read; what they have not begun when the block ends is dropped."""
    pool = ThreadPoolExecutor(READERS, thread_name_prefix="skylobe-reader")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _read_ahead(
    pool: Executor, parts: Iterable[list[Source]], read: Callable[[Source], Reading]
) -> Iterator[tuple[list[Source], list[Reading]]]:
    """Give each part with its images, in order, while the next part is being read."""
    begun: deque[tuple[list[Source], Iterator[Reading]]] = deque()
    for part in parts:
        begun.append((part, pool.map(read, part)))
        if len(begun) == 2:
            first, readings = begun.popleft()
            yield first, list(readings)
    for last, readings in begun:
        yield last, list(readings)


def _read(source: Source, pixel_scale: float | None, preprocessing: Preprocessing) -> Reading:
    """Read one image and normalise it as the model's were, or say why not."""
    try:
        file = read_image(source.path)
        scale = pixel_scale or file.pixel_scale
        assumed = scale or preprocessing.image_scale
        width_pix = width_in_pixels([file.pixels.shape], assumed)
        ids = np.array([source.source_id])
        image = normalised([file], ids, width_pix, preprocessing.scaling)
    except (DataError, ConfigError) as error:
        return Reading(str(error))
    if scale is None:
        return Reading(f"{OK}; no pixel scale, taken for {assumed:g}″: give pixel_scale", image)
    return Reading(OK, image, round(scale, 4))


def _tabulate(
    classifier: Classifier, sources: list[Source], readings: list[Reading], level: float
) -> pa.Table:
    """Classify and tabulate one part."""
    names = classifier.class_names
    probabilities = np.full((len(sources), len(names)), np.nan)
    novelty = np.full(len(sources), np.nan)
    for rows, image_set in _by_scale(readings, classifier.model.preprocessing.scaling):
        vectors = classifier.vectors(image_set)
        probabilities[rows] = classifier.probabilities(vectors)
        novelty[rows] = classifier.novelty(vectors)
    status = [one.status for one in readings]
    good = np.array([one.image is not None for one in readings])
    abstain = classifier.calibration.abstains(np.nan_to_num(probabilities), level)
    best = np.nan_to_num(probabilities).argmax(1)
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


def _by_scale(
    readings: list[Reading], scaling: ScalingConfig
) -> Iterator[tuple[list[int], ImageSet]]:
    """Group the images that share a pixel scale and a width."""
    kinds: dict[tuple[float | None, int], list[int]] = {}
    for row, one in enumerate(readings):
        if one.image is not None:
            kinds.setdefault((one.pixel_scale, one.image.shape[-1]), []).append(row)
    for (scale, _), rows in kinds.items():
        images = (readings[row].image for row in rows)
        joined = torch.cat([as_float(image) for image in images if image is not None])
        ids = np.array([str(row) for row in rows])
        yield (
            rows,
            ImageSet("part", joined, ids, pixel_scale=scale, scaling=scaling, physical=False),
        )
