"""Fixtures shared by all tests."""

import os

if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # one core each: threads of several workers wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path

import numpy as np
import pytest
import torch

from skylobe.core.errors import UnavailableError
from skylobe.images.datasets import first_galaxies
from skylobe.images.image_set import ImageSet
from skylobe.learning.settings import ViewConfig

BESIDE = Path(__file__).parents[2] / "shared" / "data"
if BESIDE.is_dir():
    os.environ.setdefault("SKYLOBE_MIRROR", str(BESIDE))


# views with every step switched off
STILL = ViewConfig(
    rotation=0.0,
    area=(1.0, 1.0),
    aspect=(1.0, 1.0),
    horizontal_flip=0.0,
    vertical_flip=0.0,
    jitter=0.0,
    blur=0.0,
)


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder of real data; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("SKYLOBE_MIRROR", BESIDE))
    if not (folder / "mirabest").is_dir():
        pytest.skip("no real data: set SKYLOBE_MIRROR to a folder that holds mirabest/")
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tests out of the user's cache."""
    if "SKYLOBE_TEST_CACHE" not in os.environ:
        folder = tmp_path_factory.getbasetemp() / "cache"
        monkeypatch.setenv("SKYLOBE_CACHE", str(folder))
    else:
        monkeypatch.setenv("SKYLOBE_CACHE", os.environ["SKYLOBE_TEST_CACHE"])


@pytest.fixture(scope="session")
def first_set(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """All of ``first_galaxies``; skipped where the package index cannot be reached."""
    fixed = os.environ.get("SKYLOBE_TEST_CACHE")
    folder = Path(fixed) if fixed else tmp_path_factory.getbasetemp() / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKYLOBE_CACHE", str(folder))
        try:
            return first_galaxies.load()
        except UnavailableError as error:
            pytest.skip(str(error))


def lobes(n: int, *, width: int = 80, seed: int = 0, name: str = "synthetic") -> ImageSet:
    """Make images of one blob (class 0) or two blobs (class 1) on empty sky."""
    rng = np.random.default_rng(seed)
    row, column = np.mgrid[:width, :width] - (width - 1) / 2
    labels = np.arange(n) % 2
    angle, apart = rng.uniform(0, np.pi, n), np.where(labels == 1, rng.uniform(8, 16, n), 0)
    images = np.zeros((n, width, width), dtype=np.float32)
    for sign in (-1, 1):
        x = column[None] - (sign * apart * np.cos(angle))[:, None, None]
        y = row[None] - (sign * apart * np.sin(angle))[:, None, None]
        images += np.exp(-(x**2 + y**2) / (2 * rng.uniform(2, 3, n) ** 2)[:, None, None])
    images /= images.max((1, 2), keepdims=True)
    return ImageSet(
        name=name,
        images=torch.from_numpy((images * 255).astype(np.uint8))[:, None],
        source_ids=np.array([f"{name}-{i}" for i in range(n)]),
        labels=labels.astype(np.int64),
        class_names=("one", "two"),
        pixel_scale=1.8,
        survey="synthetic",
    )


@pytest.fixture
def synthetic() -> ImageSet:
    """Forty small images of two separable classes."""
    return lobes(40)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The folder of an index with a map; beside it lies the model."""
    from app.small_index import make_index

    return make_index(tmp_path_factory.mktemp("app"))


@pytest.fixture
def state(folder, tmp_path):
    """What the app serves: that index, with tags of its own."""
    from search.making import small_model
    from skylobe.app.state import open_state
    from skylobe.search.queries import Doors
    from skylobe.search.store import SourceIndex

    index = SourceIndex(folder)
    return open_state(index, lambda one: Doors(one, small_model), tmp_path / "tags.json")


@pytest.fixture
def client(state):
    """The app, asked without a port."""
    from starlette.testclient import TestClient

    from skylobe.app.serving import build

    with TestClient(build(state, hosts=("testserver",)), raise_server_exceptions=False) as client:
        yield client
