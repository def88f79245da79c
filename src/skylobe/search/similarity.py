"""One source to those that look like it: the query, the search, the gallery."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from skylobe.core.errors import ConfigError, DataError
from skylobe.core.paths import is_file
from skylobe.images import gallery
from skylobe.images.cutting import Framing, fitted
from skylobe.images.datasets.folder import load_files
from skylobe.images.image_set import ImageSet
from skylobe.models import embeddings as results
from skylobe.models.embed import embed
from skylobe.models.embeddings import Embeddings
from skylobe.models.model import Model
from skylobe.models.prepare import prepare
from skylobe.models.settings import GALLERY_GRID
from skylobe.search.exact import Index, Neighbours
from skylobe.search.names import Names


@dataclass(frozen=True)
class Found:
    """What a search from one source gave.

    Args:
        query: Set of one image.
        neighbours: The sources most like it, one row.
    """

    query: ImageSet
    neighbours: Neighbours


def search(
    image_set: ImageSet, embeddings: Embeddings, query: str, model: Model, n_neighbours: int = 11
) -> Found:
    """Find the sources of a set that look most like one source.

    Args:
        image_set: Where to search.
        embeddings: Of that set.
        query: Id of one of its sources, or the path of an image file.
        model: Made the embeddings; embeds a query that is a file.
        n_neighbours: How many to give; a source of the set is not its own neighbour.

    Raises:
        DataError: If the query is neither a source nor a file, or the file is no image.
    """
    index = Index(embeddings)
    rows = np.flatnonzero(image_set.source_ids == query)
    if len(rows):
        return Found(image_set.select(rows[:1]), index.search_source(query, n_neighbours))
    insist_on_query(image_set, query)
    path = Path(query)
    own = load_files([path], path, Framing(None, scaling=model.preprocessing.scaling))
    vectors = embed(model, own, n_views=embeddings.n_views).vectors
    return Found(own, index.search(vectors, n_neighbours))


def insist_on_query(image_set: ImageSet, query: str) -> None:
    """Refuse a query that is neither a source of a set nor a file, before the set is embedded.

    Raises:
        DataError: If it is neither.
    """
    if query not in image_set.source_ids and not is_file(Path(query)):
        meant = Names(image_set.source_ids).alike(query)
        ask = f"did you mean {' or '.join(meant)}? Its" if meant else "its"
        examples = ", ".join(image_set.source_ids[:3])
        raise DataError(
            f"{query[:200]}: neither a source of {image_set.name} nor an image file; {ask} ids look like "
            f"{examples}."
        )


def stored_embeddings(path: Path, image_set: ImageSet, model: Model, n_views: int) -> Embeddings:
    """Read the embeddings of a set, and refuse those of other images or another model.

    Raises:
        ConfigError: If they do not fit.
    """
    found = results.read_embeddings(path)
    if (found.model_name, found.n_views) != (model.name, n_views):
        raise ConfigError(
            f"{path}: made by {found.model_name} with {found.n_views} views, the query would be "
            f"embedded by {model.name} with {n_views}; choose the same."
        )
    if not np.array_equal(found.source_ids, image_set.source_ids):
        raise ConfigError(
            f"{path}: its sources are not those of {image_set.name}; embed that set first."
        )
    return found


def draw_gallery(image_set: ImageSet, found: Found) -> Figure:
    """Draw the query and its neighbours with their names, similarity and, if known, class."""
    rows = found.neighbours.rows[0]
    images = torch.cat([_shown(found.query), _shown(image_set.select(rows))])
    classes = [*_classes(found.query), *_classes(image_set.select(rows))]
    values = ["query", *(f"S = {one:.3f}" for one in found.neighbours.similarity[0])]
    names = [found.query.source_ids[0], *image_set.source_ids[rows]]
    captions = [
        "\n".join([str(name), ", ".join(filter(None, (one, value)))])
        for name, one, value in zip(names, classes, values, strict=True)
    ]
    scale = None if image_set.pixel_scale is None else GALLERY_GRID.pixel_scale
    return gallery.gallery(images[:, 0].numpy(), captions, pixel_scale=scale)


def _shown(image_set: ImageSet) -> torch.Tensor:
    image_set = fitted(image_set, image_set.scaling)
    return prepare(image_set.images, GALLERY_GRID, pixel_scale=image_set.pixel_scale)


def _classes(image_set: ImageSet) -> list[str]:
    if image_set.labels is None:
        return [""] * len(image_set)
    names: NDArray[np.str_] = np.array([*image_set.class_names, ""])  # −1 takes the last
    return [str(one) for one in names[image_set.labels]]
