"""What the commands share: options of data sets, the device, ways into an index, a call as it is typed."""

import inspect
import json
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord

    from skylobe.images.image_set import ImageSet
    from skylobe.models.model import Model
    from skylobe.models.settings import Preprocessing
    from skylobe.search.queries import Doors
    from skylobe.search.store import SourceIndex
    from skylobe.sky.cutout import Cutout


Options = dict[str, Any]  # of a data set, as datasets.load takes them


def device() -> str:
    """Name the device that models are put on."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def load_for(
    preprocessing: "Preprocessing", data: str, options: Options | None, split: str | None = None
) -> "ImageSet":
    """Load a set with the scaling of the model that will look at it; published sets have their own."""
    from skylobe.images import datasets
    from skylobe.images.scaling import ScalingConfig

    own = dict(options or {})
    if data not in datasets.NAMES and preprocessing.scaling != ScalingConfig():
        own.setdefault("scaling", preprocessing.scaling)
    return datasets.load(data, split=split, **own)


def model_of(opened: "SourceIndex", model: str | None) -> "Model":
    """Load the model that is named, or the one whose name the index keeps."""
    from skylobe.models import loading

    loaded = loading.load_model(model or opened.note.model, device=device())
    opened.require(loaded)
    return loaded


def fetcher(
    survey: str | None,
    size: float,
    service: str | None,
    mosaics: Path | None,
    base_url: str | None,
) -> "Callable[[SkyCoord], Cutout] | None":
    """Make the function that fetches the image of a position; none without a survey."""
    if survey is None:
        return None
    from skylobe.sky import fetching

    return partial(
        fetching.fetch,
        survey=survey,
        size=size,
        service=service,
        mosaics=mosaics,
        base_url=base_url,
    )


def doors(
    opened: "SourceIndex",
    model: str | None,
    fetch: "Callable[[SkyCoord], Cutout] | None",
    same_source: float,
    *,
    resolve: bool,
) -> "Doors":
    """Open the ways into an index; the model is loaded when an image is embedded first."""
    from skylobe.search.queries import Doors

    return Doors(opened, lambda: model_of(opened, model), fetch, same_source, resolve)


def as_typed(
    function: Callable[..., None], given: dict[str, Any], *, positional: bool = False
) -> str:
    """Write a call as the command that makes it, without options that are as by default.

    Args:
        function: The command.
        given: Its arguments by name.
        positional: Whether arguments without a default are typed without their name.
    """
    words = ["skylobe", function.__name__]
    for option, parameter in inspect.signature(function).parameters.items():
        value = given[option]
        if value == parameter.default:
            continue
        if positional and parameter.default is parameter.empty:
            words.append(str(value))
            continue
        parts = value.items() if isinstance(value, dict) else [(None, value)]
        for key, one in parts:
            text = str(one) if isinstance(one, str | Path) else json.dumps(one)
            words += [f"--{option}" + (f".{key}" if key else ""), text]
    return shlex.join(words)
