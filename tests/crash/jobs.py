"""The commands that write, on something small, each with what must be true of its folder at any moment.

A job takes a folder and is run by itself in a process; ``prepare_…`` makes what it starts from.
"""

from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

import lance
import numpy as np
from astropy.io import fits
from astropy.table import Table

from conftest import lobes
from search.making import embeddings_of
from skylobe.app.tags import TagStore
from skylobe.classify import predict as predicting
from skylobe.classify.adapt import adapt
from skylobe.classify.classifier import Classifier, load_classifier, save_classifier
from skylobe.classify.settings import PredictSettings
from skylobe.core.errors import DataError
from skylobe.core.tables import read_catalogue
from skylobe.images.image_set import ImageSet
from skylobe.models.encoder import build_encoder
from skylobe.models.model import Model
from skylobe.models.settings import EncoderConfig, Preprocessing
from skylobe.search import latent_map
from skylobe.search.map_record import LatentMap
from skylobe.search.store import SourceIndex

assert lance  # loaded by the server, before anything begins
N = 8
SCALE = PredictSettings(pixel_scale=1.8)


def model(seed: int = 0) -> Model:
    """A small encoder."""
    grid = Preprocessing(crop_pix=32, pixel_scale=1.8 * 70 / 32, mean=0.02, std=0.1)
    encoder = build_encoder(EncoderConfig(depth=14, stem="fast", width=8), seed=seed).eval()
    return Model(f"toy{seed}", encoder, grid)


@cache
def classifier(seed: int) -> Classifier:
    """A classifier of two classes that differs with the seed in every file."""
    return adapt(model(seed), lobes(12, seed=seed))


def images(name: str, n: int = N) -> ImageSet:
    """Sources named after their set."""
    return lobes(n, name=name)


# predict ----------------------------------------------------------------------------------------------


def prepare_predict(folder: Path) -> None:
    save_classifier(classifier(0), folder / "classifier")
    pixels = lobes(N, seed=8).images.numpy()[:, 0] * 1e-4
    noise = np.random.default_rng(0).normal(0, 1e-5, pixels.shape)
    for number, plane in enumerate(pixels + noise):
        fits.writeto(folder / f"S{number}.fits", plane.astype(np.float32))
    rows = [(f"S{number}", f"S{number}.fits") for number in range(N)]
    Table(rows=rows, names=["id", "file"]).write(folder / "list.csv")


def predict(folder: Path) -> None:
    predicting.PART = 3
    made = load_classifier(folder / "classifier")
    predicting.predict_files(made, folder / "list.csv", folder / "out.csv", SCALE)


def holds_predict(folder: Path) -> str:
    if not (folder / "out.csv").exists():
        return "old"
    found = read_catalogue(folder / "out.csv").to_table()
    assert found["source_id"].tolist() == [f"S{number}" for number in range(N)]
    return "new"


# finetune into an existing classifier -----------------------------------------------------------------


def prepare_finetune(folder: Path) -> None:
    save_classifier(classifier(0), folder / "made")
    (folder / "made" / "state.pt").write_text("somebody's")


def finetune(folder: Path) -> None:
    save_classifier(classifier(1), folder / "made")


def contents(made: Classifier) -> list[object]:
    """List all that decides what a classifier says."""
    parts = (made.model.encoder, made.head)
    tensors = [one.numpy().tobytes() for part in parts for one in part.state_dict().values()]
    calibration = made.calibration
    rest = (made.reference.tobytes(), calibration.temperature, calibration.scores.tobytes())
    return [*tensors, *rest]


def holds_finetune(folder: Path) -> str:
    found = load_classifier(folder / "made")
    assert (folder / "made" / "state.pt").read_text() == "somebody's"
    for seed, name in enumerate(("old", "new")):
        if contents(found) == contents(classifier(seed)):
            return name
    raise AssertionError("neither the old nor the new classifier")


# index ------------------------------------------------------------------------------------------------


def prepare_index(folder: Path) -> None:
    first = images("first")
    made = SourceIndex.create(folder / "index", first, embeddings_of(first), model())
    latent_map.of_index(made, method="pca")


def replace_index(folder: Path) -> None:
    second = images("second")
    SourceIndex.create(folder / "index", second, embeddings_of(second), model(), replace=True)


def holds_replaced(folder: Path) -> str:
    index = SourceIndex(folder / "index")
    (name,) = index.note.data
    assert index.ids.tolist() == images(name).source_ids.tolist()
    index.vectors(np.arange(N))
    return {"first": "old", "second": "new"}[name]


def append(folder: Path) -> None:
    second = images("second")
    second = replace(second, columns={"flux": np.arange(N) * 1.0})
    index = SourceIndex(folder / "index")
    with suppress(DataError):  # it is in the index already
        index.append(second, embeddings_of(second), model())


def holds_appended(folder: Path) -> str:
    index = SourceIndex(folder / "index")
    ids, first = index.ids.tolist(), images("first").source_ids.tolist()
    if ids == first:
        return "old"
    assert ids == first + images("second").source_ids.tolist()
    assert index.note.data == ("first", "second")
    index.vectors(np.arange(2 * N))
    return "new"


def map_again(folder: Path) -> None:
    latent_map.of_index(SourceIndex(folder / "index"), method="pca", again=True, seed=7)


def holds_map(folder: Path) -> str:
    made = LatentMap.load(folder / "index")
    assert len(made) == N
    return {0: "old", 7: "new"}[made.seed]


# tags -------------------------------------------------------------------------------------------------


def prepare_tags(folder: Path) -> None:
    TagStore(folder / "tags.json").change(["S0"], ["bent"])


def tag(folder: Path) -> None:
    TagStore(folder / "tags.json").change(["S1"], ["double"])


def holds_tags(folder: Path) -> str:
    found = TagStore(folder / "tags.json").all()
    assert found["S0"] == ("bent",)
    return "new" if found.get("S1") == ("double",) else "old"
