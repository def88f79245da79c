"""Settings of a search: what a query may be, which sources may answer, where images are fetched."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from skylobe.core.ranges import ABOVE_0, FROM_0, SEED, Checked, within
from skylobe.sky.settings import ARCSEC, DEGREES, ServiceSettings


@dataclass(frozen=True)
class WaySettings(ServiceSettings):
    """The ways into an index for what is no source of it.

    Args:
        model: Name of a shipped model, a model folder, or user/name on the model hub; the index's
            own by default.
        survey: Where the image of a position that is not in the index is fetched, over the network.
        size: Arcsec. Side of that image.
        resolve: Look other text up as an object's name, over the network.
        same_source: Arcsec. Entries nearer than this are one source, and a position this near to an
            entry means it.
    """

    model: str | None = None
    survey: str | None = None
    size: float = within(ABOVE_0, 270.0, ARCSEC)
    resolve: bool = False
    same_source: float = within(FROM_0, 10.0, ARCSEC)


@dataclass(frozen=True)
class ServeSettings(WaySettings):
    """How an index is served.

    Args:
        token: That every visitor must bring; SKYLOBE_TOKEN keeps it off the command line. Where others
            reach the server, one is made if none is given.
        hosts: Further names by which the server is called, as by a proxy before it.
        tags: File of the tags, beside the index by default.
    """

    token: str | None = None
    hosts: Sequence[str] = ()
    tags: Path | None = None


@dataclass(frozen=True)
class SearchSettings(WaySettings):
    """Which sources may answer, and the ways into the index.

    Args:
        where: Condition on the index's columns, such as "label = 'FRI' AND redshift < 0.3".
        cone: Position around which to search only.
        cone_radius: Degrees. Of that cone.
        sizes: Arcsec. Smallest and largest angular size, as [30, 90].
        n_views: 1, or 8 to average over quarter turns and mirror images; an index has its own.
        embeddings: Parquet file of the set's embeddings, made by skylobe embed with the same model;
            without it the set is embedded now.
    """

    where: str | None = None
    cone: str | None = None
    cone_radius: float = within(ABOVE_0, 1.0, DEGREES)
    sizes: tuple[float, float] | None = within(FROM_0, None, ARCSEC)
    n_views: Literal[1, 8] = 8
    embeddings: Path | None = None


@dataclass(frozen=True)
class MapSettings(Checked):
    """What is drawn of a map, and how the map is made.

    Args:
        colour: Column that colours the points: a number such as size_arcsec, or label.
        method: umap, or pca for the first two principal components.
        again: Make the map anew although there is one.
        read: Columns of positive numbers whose logarithm is read from the embeddings.
        model: Name of a shipped model, a model folder, or user/name on the model hub, for a set that is
            drawn over the map; the index's own by default.
        seed: Of the map.
    """

    colour: str = "size_arcsec"
    method: Literal["umap", "pca"] = "umap"
    again: bool = False
    read: Sequence[str] = ("size_arcsec",)
    model: str | None = None
    seed: int = within(SEED, 0)
