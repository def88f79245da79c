"""Images in any form to an index in a folder, and an index opened."""

from pathlib import Path
from typing import Any, Literal

from skylobe.core import locks
from skylobe.images.image_set import ImageSet
from skylobe.models.embed import embed
from skylobe.models.embeddings import Embeddings
from skylobe.models.inputs import images_for
from skylobe.models.loading import as_model, best_device
from skylobe.models.model import Model
from skylobe.models.settings import DEFAULT_MODEL
from skylobe.search.similarity import stored_embeddings
from skylobe.search.store import SourceIndex
from skylobe.search.unusual import usual

Mode = Literal["create", "append", "replace"]


def index(
    what: Any,  # noqa: ANN401  (whatever datasets.load takes)
    out: str | Path,
    *,
    model: Model | str | Path = DEFAULT_MODEL,
    n_views: Literal[1, 8] = 8,
    mode: Mode = "create",
    embeddings: Embeddings | str | Path | None = None,
) -> SourceIndex:
    """Make an index of images to search in: vectors, facts and thumbnails in one folder.

    Args:
        what: ``ImageSet``, or whatever ``skylobe.load`` takes; files that cannot be used are left out, and
            logged.
        out: Folder of the index; appears whole or not at all.
        model: Encoder, or its name.
        n_views: 1, or 8 to average over quarter turns and mirror images.
        mode: ``create`` refuses a folder that is there, ``append`` adds to it, ``replace`` puts a new one
            there.
        embeddings: Of the set by the same model, or their Parquet file; without them it is embedded now.

    Raises:
        ConfigError: If the folder is there already, or another model made the index or the embeddings.
        DataError: If a source is in the index already.
        MissingExtraError: If Lance is not installed.
        StorageError: If another process changes the index, or it cannot be written.

    >>> import tempfile
    >>> import numpy as np
    >>> from skylobe.images import datasets
    >>> row, column = np.mgrid[-40:40, -40:40]
    >>> sky = [np.exp(-((column - x) ** 2 + row**2) / 30) for x in (0, 4, 8)]
    >>> made = index(datasets.load(sky, pixel_scale=1.8), tempfile.mkdtemp() + "/mine", n_views=1)
    Embedding ...
    >>> len(made), made.ids.tolist()
    (3, ['image0', 'image1', 'image2'])
    """
    folder = Path(out)
    with locks.holding(folder):
        return _index(what, folder, as_model(model), n_views, mode, embeddings)


def _index(
    what: Any,  # noqa: ANN401
    folder: Path,
    loaded: Model,
    n_views: Literal[1, 8],
    mode: Mode,
    embeddings: Embeddings | str | Path | None,
) -> SourceIndex:
    image_set = images_for(loaded.preprocessing, what, skip_broken=True)
    opened = open_index(folder) if mode == "append" else None
    if opened is not None:
        opened.require(loaded, n_views)  # before time is spent
    vectors = _vectors(image_set, loaded, n_views, embeddings)
    if opened is None:
        replace = mode == "replace"
        opened = SourceIndex.create(folder, image_set, vectors, loaded, replace=replace)
    else:
        opened.append(image_set, vectors, loaded)
    usual(opened)  # else the first search would wait for it
    return opened


def open_index(place: str | Path) -> SourceIndex:
    """Open an index that ``index`` made.

    Args:
        place: Its folder, or the address of a copy in an object store, such as ``s3://bucket/galaxies``.

    Raises:
        DataError: If it is no index, or part of it cannot be read.
        MissingExtraError: If Lance is not installed.

    >>> open_index("nowhere")
    Traceback (most recent call last):
        ...
    skylobe.core.errors.DataError: nowhere: ...
    """
    return SourceIndex(place, device=best_device())


def _vectors(
    image_set: ImageSet,
    model: Model,
    n_views: Literal[1, 8],
    embeddings: Embeddings | str | Path | None,
) -> Embeddings:
    if embeddings is None:
        return embed(model, image_set, n_views=n_views, progress=True)
    if isinstance(embeddings, str | Path):
        return stored_embeddings(Path(embeddings), image_set, model, n_views)
    return embeddings
