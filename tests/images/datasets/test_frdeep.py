import shutil

import numpy as np
import pytest

from skylobe.core.errors import ConfigError, DataError, UnavailableError
from skylobe.images.datasets import frdeep

N_COPIED = 6


@pytest.fixture
def few(mirror, tmp_path):
    """The first six sources in both surveys; all 658 take a minute to unpack."""
    for survey in frdeep.SURVEYS:
        (tmp_path / "frdeep" / survey).mkdir(parents=True)
        for path in sorted((mirror / "frdeep" / survey).glob("*.fz"))[:N_COPIED]:
            shutil.copy(path, tmp_path / "frdeep" / survey / path.name)
    return tmp_path


def test_the_same_sources_in_two_surveys(few):
    first, nvss = (frdeep.load(None, few, survey=one) for one in ("FIRST", "NVSS"))
    assert (first.source_ids == nvss.source_ids).all()
    assert (first.labels == nvss.labels).all()
    assert (first.pixel_scale, nvss.pixel_scale) == (1.8, 15.0)
    assert first.images.shape == (N_COPIED, 1, 150, 150)
    assert nvss.images.shape == (N_COPIED, 1, 18, 18)  # the same 270″
    apart = first.positions.separation(nvss.positions)
    assert apart.arcsec.max() < 30
    assert (first.images.flatten(1).amax(1) == 255).all()


def test_there_are_658_of_two_classes(mirror):
    names = [path.name for path in (mirror / "frdeep" / "FIRST").glob("*.fits.fz")]
    classes = [name.removesuffix(".fits.fz").rsplit("_", 1)[1] for name in names]
    assert np.unique(classes, return_counts=True)[1].tolist() == [269, 389]


def test_what_there_is_not(few, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="no survey 'VLASS'"):
        frdeep.load(None, few, survey="VLASS")
    with pytest.raises(ConfigError, match="split it by source_id"):
        frdeep.load("train", few)
    monkeypatch.delenv("SKYLOBE_MIRROR", raising=False)
    with pytest.raises(UnavailableError, match="set SKYLOBE_MIRROR"):
        frdeep.load(None, tmp_path / "nowhere")


def test_a_truncated_file_is_named(few):
    path = sorted((few / "frdeep" / "FIRST").glob("*.fz"))[2]
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(DataError, match=path.name.replace("+", r"\+")):
        frdeep.load(None, few)
