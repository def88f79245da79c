"""Whatever a person has of a source - a name, a file, a position - to a vector to search with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from astropy.coordinates import SkyCoord
from jaxtyping import Float, Int, UInt8
from numpy.typing import NDArray

from skylobe.core.errors import ConfigError, DataError, PositionError
from skylobe.core.paths import is_file
from skylobe.core.vectors import as_unit
from skylobe.images.cutting import normalised, width_in_pixels
from skylobe.images.datasets.listing import stem
from skylobe.images.files import ENDINGS, ImageFile, positions_of, read_image
from skylobe.images.image_set import ImageSet
from skylobe.models.embed import embed
from skylobe.models.model import Model
from skylobe.search.names import Names
from skylobe.search.nearby import nearest, nobody_there
from skylobe.search.rows import thumbnails
from skylobe.search.store import SourceIndex
from skylobe.sky.cutout import Cutout
from skylobe.sky.positions import middle_of_name, parse_position

SAME_PLACE = 10.0  # arcsec; a source of the index this near is the one that was pointed at
AWAY = 0.5  # weight of what a query must not look like, beside 1 for what it must


@dataclass(frozen=True)
class Query:
    """What is searched for.

    Args:
        name: Of the source, or of what was combined.
        vector: Of length one, by the index's model.
        images: Thumbnails of the sources that it was made of.
        position: ICRS, of one source; ``None`` if unknown, or of several.
        rows: Rows of the index that it was made of; they are no answers to it.
    """

    name: str
    vector: Float[np.ndarray, " feature"]
    images: UInt8[np.ndarray, "source height width"]
    position: SkyCoord | None
    rows: Int[np.ndarray, " row"]


def of_row(index: SourceIndex, row: int) -> Query:
    """Search from a source of the index."""
    own = np.array([row])
    place = index.positions[row]
    known = np.isfinite([place.ra.deg, place.dec.deg]).all()
    return Query(
        name=str(index.ids[row]),
        vector=index.vectors(own)[0],
        images=index.thumbnails(own),
        position=place if known else None,
        rows=own,
    )


def of_image(index: SourceIndex, image_set: ImageSet, model: Model) -> Query:
    """Search from an image.

    Args:
        index: Where to search.
        image_set: The image.
        model: Embeds it.

    Raises:
        ConfigError: If another model made the index.
    """
    index.require(model)
    embedded = embed(model, image_set, n_views=index.note.n_views)
    place = None if image_set.positions is None else image_set.positions[0]
    known = place is not None and np.isfinite([place.ra.deg, place.dec.deg]).all()
    return Query(
        name=str(image_set.source_ids[0]),
        vector=as_unit(embedded.vectors, embedded.source_ids)[0],
        images=thumbnails(image_set),
        position=place if known else None,
        rows=np.empty(0, dtype=np.int64),
    )


def combined(
    positives: Sequence[Query], negatives: Sequence[Query] = (), *, away: float = AWAY
) -> Query:
    """Join queries into one that looks like some and not like others.

    The mean direction of the positives, minus ``away`` times that of the negatives, brought back to length
    one. What both have in common, which is most of what two radio sources have, cancels in part: with
    negatives all similarities are lower, and only their order counts.

    Args:
        positives: At least one.
        negatives: Any number.
        away: Weight of the negatives, from 0 to below 1.

    Raises:
        ConfigError: If there is no positive, the weight is outside, or nothing is left.

    Source: Rocchio 1971, "Relevance feedback in information retrieval", with means on the sphere.
    """
    if not positives or not 0 <= away < 1:
        raise ConfigError(
            f"{len(positives)} positive sources with a weight of {away:g} for the negatives; give at "
            "least one, and a weight from 0 to below 1."
        )
    vector = _direction(positives)
    if negatives:
        vector = vector - away * _direction(negatives)
    return Query(
        name=" + ".join(one.name for one in positives)
        + "".join(f" − {one.name}" for one in negatives),
        vector=as_unit(vector[None], np.array(["the combined query"]))[0],
        images=np.concatenate([one.images for one in positives]),
        position=positives[0].position if len(positives) == 1 else None,
        rows=np.concatenate([one.rows for one in [*positives, *negatives]]),
    )


def _direction(queries: Sequence[Query]) -> NDArray[np.float32]:
    mean = np.stack([one.vector for one in queries]).mean(axis=0)
    return np.asarray(as_unit(mean[None], np.array(["the combined query"]))[0], dtype=np.float32)


@dataclass(frozen=True)
class Doors:
    """The ways in: what a person types becomes a query.

    Args:
        index: Where to search.
        load_model: Loads the index's model; called only if an image has to be embedded.
        fetch: Gives the cut-out at a position; ``None`` where nothing can be fetched.
        radius: Arcsec. A source of the index this near to a position is the one that is meant.
        resolve: Look other text up as an object's name, over the network.
    """

    index: SourceIndex
    load_model: Callable[[], Model]
    fetch: Callable[[SkyCoord], Cutout] | None = None
    radius: float = SAME_PLACE
    resolve: bool = False

    @cached_property
    def _model(self) -> Model:
        return self.load_model()

    @cached_property
    def _names(self) -> Names:
        return Names(self.index.ids)

    def query(self, text: str) -> Query:
        """Read a query: an id of the index, an image file, or a position in any notation.

        Raises:
            DataError: If it is none of these.
            UnavailableError: If nothing is there and it cannot be fetched.
        """
        path, is_id = Path(text), text in self.index
        if not is_id and is_file(path):
            return self.of_file(read_image(path), stem(path))
        if not is_id and path.name.lower().endswith(ENDINGS):
            raise DataError(f"{text[:200]}: no such file; correct its name.")
        return self.named(text)

    def named(self, text: str) -> Query:
        """Read a query that names a source or a place; no file is looked at, whatever the text says.

        Raises:
            DataError: If it is neither a position nor an id of the index, or the beginning of just one.
            UnavailableError: If nothing is there and it cannot be fetched.
        """
        if text in self.index:
            return of_row(self.index, int(self.index.rows_of([text])[0]))
        place, why = None, ""
        try:
            place = parse_position(text, resolve=self.resolve)
        except PositionError as error:
            why = f" ({str(error).partition('; ')[0]})" if text[:1].isdigit() else ""
        if place is None or text[:1].isalpha():  # degrees begin many ids, and mean none
            begun = self._names.beginning(text)
            if len(begun) == 1:
                return of_row(self.index, int(begun[0]))
        if place is not None:
            return self.at(place, middle_of_name(text))
        raise self._names.unknown(text[:200], why, begun)

    def of_file(self, file: ImageFile, name: str) -> Query:
        """Search from an image that was read already, as one of a folder would be.

        Args:
            file: Its pixels, and where it lies if it says so.
            name: What the query is called.
        """
        ids, preprocessing = np.array([name]), self._model.preprocessing
        scale = file.pixel_scale or preprocessing.image_scale
        width, scaling = width_in_pixels([file.pixels.shape], scale), preprocessing.scaling
        image_set = ImageSet(
            name=name,
            images=normalised([file], ids, width, scaling),
            source_ids=ids,
            positions=positions_of([file]),
            pixel_scale=file.pixel_scale,
            scaling=scaling,
            physical=False,
        )
        return of_image(self.index, image_set, self._model)

    def at(self, place: SkyCoord, also: SkyCoord | None = None) -> Query:
        """Search from the source of the index at a position, or from a cut-out fetched there.

        Args:
            place: The position.
            also: Another place that may be meant.

        Raises:
            DataError: If nothing of the index is there and nothing can be fetched.
        """
        found = nearest(self.index, place, also)
        if found[1] <= self.radius:
            return of_row(self.index, found[0])
        if self.fetch is None:
            raise nobody_there(self.index, place, self.radius, found)
        return of_image(self.index, as_image_set(self.fetch(place), self._model), self._model)


def as_image_set(cutout: Cutout, model: Model) -> ImageSet:
    """Normalise a cut-out as the model's images are; one of less sky is scaled over what it has."""
    file = ImageFile(cutout.pixels, cutout.position, cutout.pixel_scale)
    ids, scaling = np.array([cutout.source_id]), model.preprocessing.scaling
    width = min(width_in_pixels([cutout.pixels.shape], cutout.pixel_scale), *cutout.pixels.shape)
    place = cutout.position.icrs
    return ImageSet(
        name=cutout.source_id,
        images=normalised([file], ids, width, scaling),
        source_ids=ids,
        positions=SkyCoord([place.ra.deg], [place.dec.deg], unit="deg"),
        pixel_scale=cutout.pixel_scale,
        survey=cutout.survey,
        scaling=scaling,
        physical=False,
    )
