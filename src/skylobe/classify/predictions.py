"""A classifier and images in any form to a table of decisions."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from astropy.table import QTable

from skylobe.classify.classifier import Classifier
from skylobe.classify.evaluating import as_classifier
from skylobe.classify.joining import OK, Summary
from skylobe.classify.predict import PART, Reading, _tabulate, predict_files
from skylobe.classify.settings import PredictSettings
from skylobe.core.errors import DataError
from skylobe.core.paths import located
from skylobe.core.results import Results
from skylobe.core.settings import given
from skylobe.core.tables import read_catalogue
from skylobe.images import datasets, thumbnails
from skylobe.images.cutting import fitted
from skylobe.images.datasets.corpora import is_corpus
from skylobe.images.datasets.listing import Source
from skylobe.images.files import read_image
from skylobe.images.image_set import ImageSet
from skylobe.images.normalise import normalise
from skylobe.models.inference import fastest
from skylobe.models.inputs import images_for
from skylobe.search import export

SHOWN_PIX = 96


class Predictions(Results):
    """What a classifier says of each source.

    Columns: ``source_id``, ``file`` where it came from one, ``status`` (``ok``, or why there is no
    answer), ``predicted``, ``p_CLASS`` per class (calibrated), ``abstain`` (the prediction set at the
    level is not one class) and ``novelty`` (above 1: farther from the training sources than 95 % of
    these are from each other).

    Args:
        table: The rows, or what reads them.
        counts: How many there are, failed, and are left undecided.
        pictures: Gives pictures of the first rows.
    """

    def __init__(
        self,
        table: QTable | Callable[[], QTable],
        counts: Summary,
        pictures: Callable[[int], Sequence[str | None]] | None = None,
    ) -> None:
        self.n_sources, self.n_failed = counts.n_sources, counts.n_failed
        self.n_abstained = counts.n_abstained
        told = (f"{self.n_failed:,} failed", f"{self.n_abstained:,} undecided")
        note = ", ".join([f"{self.n_sources:,} sources", *told])
        super().__init__(table, "Predictions", note, pictures)

    def __len__(self) -> int:
        return self.n_sources


def predict(
    classifier: Classifier | str | Path,
    what: Any,  # noqa: ANN401  (files, or whatever datasets.load takes)
    out: str | Path | None = None,
    *,
    progress: bool = False,
    **settings: Any,  # noqa: ANN401  (the fields of PredictSettings)
) -> Predictions:
    """Classify every source of a table, a folder, an image set or an array.

    Args:
        classifier: What to classify with, or its folder.
        what: Table with a file column (a path, or one of astropy, pandas or pyarrow) or folder of images:
            files are read in batches, one that cannot be used is a row with its reason. Or whatever else
            ``skylobe.load`` takes.
        out: Table to write: FITS, VOTable, ECSV, CSV or Parquet by its ending. A stopped call on files
            goes on where it was.
        progress: Show a progress bar.
        **settings: ``level``, the share of sources whose true class must be in the prediction set (0.9),
            ``pixel_scale`` (a ``Quantity``, or arcsec per pixel; read off each file by default),
            ``spreadsheet_safe``: the fields of ``classify.settings.PredictSettings``.

    Raises:
        DataError: If the table cannot be read.
        ConfigError: If the output's ending is unknown or the level is not between 0 and 1.

    >>> from skylobe.classify.budgets import finetune
    >>> row, column = np.mgrid[-40:40, -40:40]
    >>> def lobe(x):
    ...     return np.exp(-((column - x) ** 2 + row**2) / 30)
    >>> sky = np.stack([lobe(x) + lobe(-x) for x in (0, 12, 1, 13, 2, 14)])
    >>> images = datasets.load(sky, pixel_scale=1.8, labels=["one", "two"] * 3)
    >>> made = finetune("skylobe-base", images, settings={"n_views": 1})
    >>> predict(made, sky[4:], pixel_scale=1.8)["predicted"].tolist()
    ['one', 'two']
    """
    classifier = as_classifier(classifier)
    asked = given(PredictSettings, settings, "predict")
    if not _lists_files(what):
        options: dict[str, Any] = (
            {} if asked.pixel_scale is None else {"pixel_scale": asked.pixel_scale}
        )
        image_set = images_for(classifier.model.preprocessing, what, **options)
        return _of_images(classifier, image_set, out, asked)
    what = Path(what) if isinstance(what, str) else what
    if out is not None:
        path = Path(out)
        counts = predict_files(classifier, what, path, asked, progress=progress)
        return Predictions(lambda: _read(path), counts, lambda n: _of_files(_read(path)[:n]))
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "decisions.parquet"
        counts = predict_files(classifier, what, path, asked, progress=progress)
        table = _read(path)
    return Predictions(table, counts, lambda n: _of_files(table[:n]))


def _lists_files(what: Any) -> bool:  # noqa: ANN401
    """Tell what lists files from sets and pixels."""
    if isinstance(what, str | Path):
        place, kind = located(Path(what))
        return str(what) not in datasets.NAMES and not (kind == "folder" and is_corpus(place))
    return not isinstance(what, ImageSet) and not datasets.is_pixels(what)


def _of_images(
    classifier: Classifier, image_set: ImageSet, out: str | Path | None, asked: PredictSettings
) -> Predictions:
    """Classify images that are loaded already."""
    if out is not None:
        export.ending(Path(out))
    image_set = fitted(image_set, classifier.model.preprocessing.scaling)
    fast = replace(classifier.model, encoder=fastest(classifier.model.encoder))
    classifier = replace(classifier, model=fast)
    remarks = image_set.columns.get("remark", np.full(len(image_set), "")).tolist()
    parts = []
    for start in range(0, len(image_set), PART):
        ids = image_set.source_ids[start : start + PART]
        images = image_set.images[start : start + PART].split(1)
        sources = [Source(str(name), Path()) for name in ids]
        readings = [
            Reading(
                f"{OK}; {remark}: give pixel_scale" if remark else OK, image, image_set.pixel_scale
            )
            for image, remark in zip(images, remarks[start : start + PART], strict=True)
        ]
        parts.append(_tabulate(classifier, sources, readings, asked.level).drop_columns(["file"]))
    found = pa.concat_tables(parts)
    table = _as_table(found)
    if out is not None:
        export.write(Path(out), table, spreadsheet_safe=asked.spreadsheet_safe)
    counts = Summary(len(found), 0, pc.sum(found["abstain"], min_count=0).as_py())
    return Predictions(table, counts, lambda n: image_set.pictures()[:n])


def _read(path: Path) -> QTable:
    """Read a table of decisions of any format; an undecided row is one that failed, too."""
    table = read_catalogue(path).to_table()
    if table["abstain"].dtype.kind == "U":
        table["abstain"] = np.array([one.lower() in ("true", "") for one in table["abstain"]])
    return table


def _as_table(found: pa.Table) -> QTable:
    """Give astropy's table; what a failed row lacks is NaN, an empty name, or abstain."""
    columns: dict[str, Any] = {}
    for name in found.column_names:
        column = found[name]
        if pa.types.is_boolean(column.type):
            columns[name] = pc.fill_null(column, True).to_numpy()
        elif pa.types.is_floating(column.type):
            columns[name] = column.to_numpy()
        else:
            columns[name] = np.array([one or "" for one in column.to_pylist()], dtype=np.str_)
    return QTable(columns)


def _of_files(table: QTable) -> list[str | None]:
    """Give a picture of each row's file, none where it cannot be shown."""
    pictures: list[str | None] = []
    for file in table["file"]:
        try:
            pictures.append(_address(normalise(read_image(Path(str(file))).pixels)))
        except DataError:
            pictures.append(None)
    return pictures


def _address(plane: Any) -> str:  # noqa: ANN401  (an array)
    return thumbnails.address(thumbnails.shown(plane, SHOWN_PIX))
