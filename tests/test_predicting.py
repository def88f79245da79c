from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from conftest import lobes
from skylobe import predicting
from skylobe.adapting import adapt
from skylobe.catalogues import read_catalogue
from skylobe.checkpoint import Model
from skylobe.classifier import Classifier
from skylobe.config import EncoderConfig, Preprocessing
from skylobe.encoder import build_encoder
from skylobe.errors import ConfigError, DataError
from skylobe.predicting import predict


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    grid = Preprocessing(crop_pix=32, pixel_scale=1.8 * 70 / 32, mean=0.02, std=0.1)
    model = Model("toy", build_encoder(EncoderConfig(stem="fast", width=8)).eval(), grid)
    return adapt(model, lobes(60, seed=7))


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """Ten images, the third truncated and the sixth missing."""
    rng = np.random.default_rng(0)
    rows = []
    for number, image in enumerate(lobes(10, seed=8).images.numpy()):
        pixels = image[0] * 1e-4 + rng.normal(0, 1e-5, image[0].shape)
        path = tmp_path / f"S{number}.fits"
        if number != 5:
            fits.writeto(path, pixels.astype(np.float32))
        if number == 2:
            path.write_bytes(path.read_bytes()[:4000])
        rows.append((f"S{number}", path.name))
    Table(rows=rows, names=["id", "file"]).write(tmp_path / "list.csv")
    return tmp_path / "list.csv"


@pytest.mark.parametrize("ending", ["csv", "parquet", "fits", "vot", "ecsv"])
def test_every_source_is_a_row_and_a_broken_file_has_its_reason(
    classifier, catalogue: Path, ending: str
):
    out = catalogue.parent / "out" / f"decisions.{ending}"
    summary = predict(classifier, catalogue, out, level=0.8, pixel_scale=1.8)
    assert (summary.n_sources, summary.n_failed) == (10, 2)
    table = read_catalogue(out)
    assert [str(one) for one in table["source_id"]] == [f"S{n}" for n in range(10)]
    status = [str(one) for one in table["status"]]
    assert "truncated" in status[2]
    assert "no such file" in status[5]
    good = [n for n in range(10) if n not in (2, 5)]
    assert all(status[n] == "ok" for n in good)
    shares = np.array([[float(table[n][f"p_{c}"]) for c in ("one", "two")] for n in good])
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)
    found = [str(table[n]["predicted"]) for n in good]
    assert np.mean([one == ("one", "two")[n % 2] for one, n in zip(found, good, strict=True)]) > 0.8
    assert not list(out.parent.glob("*.parts"))


def test_a_folder_gives_the_same_as_the_table(classifier, catalogue: Path, tmp_path: Path):
    predict(classifier, catalogue, tmp_path / "a.csv", pixel_scale=1.8)
    predict(classifier, catalogue.parent, tmp_path / "b.csv", pixel_scale=1.8)
    one, other = Table.read(tmp_path / "a.csv"), Table.read(tmp_path / "b.csv")
    assert len(other) == 9  # the missing file is not in the folder
    assert float(one["p_one"][0]) == pytest.approx(float(other["p_one"][0]))


def test_a_stopped_run_goes_on_and_reads_nothing_twice(
    classifier, catalogue: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(predicting, "PART", 2)
    out, read = catalogue.parent / "out.csv", []
    original = predicting.read_image

    def watched(path: Path) -> object:
        read.append(path.name)
        if len(read) == 6:
            raise KeyboardInterrupt
        return original(path)

    monkeypatch.setattr(predicting, "read_image", watched)
    with pytest.raises(KeyboardInterrupt):
        predict(classifier, catalogue, out, pixel_scale=1.8)
    assert not out.exists()
    predict(classifier, catalogue, out, pixel_scale=1.8)
    assert len(Table.read(out)) == 10
    assert read.count("S0.fits") == 1
    assert read.count("S4.fits") == 2  # its part was not finished


def test_other_settings_do_not_reuse_finished_parts(
    classifier, catalogue: Path, monkeypatch: pytest.MonkeyPatch
):
    out = catalogue.parent / "out.csv"
    join = predicting._join
    monkeypatch.setattr(predicting, "_join", lambda parts, path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        predict(classifier, catalogue, out, level=0.8, pixel_scale=1.8)
    monkeypatch.setattr(predicting, "_join", join)
    few = replace(classifier, calibration=type(classifier.calibration)())
    assert predict(few, catalogue, out, level=0.8, pixel_scale=1.8).n_abstained == 8


def test_wrong_arguments_are_refused_before_any_work(classifier, catalogue: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match="unknown table ending"):
        predict(classifier, catalogue, tmp_path / "out.xls")
    with pytest.raises(ConfigError, match="between 0 and 1"):
        predict(classifier, catalogue, tmp_path / "out.csv", level=90)
    with pytest.raises(DataError, match="no such table or folder"):
        predict(classifier, tmp_path / "absent.csv", tmp_path / "out.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        predict(classifier, tmp_path / "empty", tmp_path / "out.csv")
