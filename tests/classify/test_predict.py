import threading
import time
import warnings
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from astropy.io import fits
from astropy.table import Table

from conftest import lobes
from skylobe.classify import predict as predicting
from skylobe.classify.adapt import adapt
from skylobe.classify.classifier import Classifier
from skylobe.classify.predictions import predict
from skylobe.core import locks
from skylobe.core.errors import ConfigError, DataError, StorageError
from skylobe.core.tables import read_catalogue
from skylobe.models.encoder import build_encoder
from skylobe.models.model import Model
from skylobe.models.settings import EncoderConfig, Preprocessing


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
    table = read_catalogue(out).to_table()
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
        if path.name == "S5.fits" and read.count("S5.fits") == 1:
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
    join = predicting.join
    monkeypatch.setattr(predicting, "join", lambda *_, **settings: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        predict(classifier, catalogue, out, level=0.8, pixel_scale=1.8)
    monkeypatch.setattr(predicting, "join", join)
    few = replace(classifier, calibration=type(classifier.calibration)())
    assert predict(few, catalogue, out, level=0.8, pixel_scale=1.8).n_abstained == 8


def test_reading_ahead_changes_no_bit_and_no_order(
    classifier, catalogue: Path, monkeypatch: pytest.MonkeyPatch
):
    """Early rows are slow to read, a broken one is in the middle: rows must not change places."""
    plain = [
        predicting._read(one, 1.8, Preprocessing())
        for one in predicting.list_sources(catalogue).sources
    ]
    original = predicting.read_image

    def slow_at_first(path: Path) -> object:
        time.sleep(0.05 if path.name in ("S0.fits", "S4.fits") else 0)
        return original(path)

    monkeypatch.setattr(predicting, "PART", 4)
    monkeypatch.setattr(predicting, "read_image", slow_at_first)
    sources = predicting.list_sources(catalogue).sources
    parts = [sources[start : start + 4] for start in range(0, 10, 4)]
    with predicting._readers() as pool:
        found = list(
            predicting._read_ahead(
                pool, parts, lambda one: predicting._read(one, 1.8, Preprocessing())
            )
        )
    assert [part for part, _ in found] == parts
    ahead = [one for _, readings in found for one in readings]
    assert [one.status for one in ahead] == [one.status for one in plain]
    assert [one.status == "ok" for one in ahead] == [n not in (2, 5) for n in range(10)]
    for one, other in zip(ahead, plain, strict=True):
        assert one.pixel_scale == other.pixel_scale
        assert (one.image is None and other.image is None) or torch.equal(one.image, other.image)

    predict(classifier, catalogue, catalogue.parent / "ahead.parquet", pixel_scale=1.8)
    serial = [
        predicting._tabulate(classifier, sources[s : s + 4], plain[s : s + 4], 0.9)
        for s in range(0, 10, 4)
    ]
    assert pq.read_table(catalogue.parent / "ahead.parquet").equals(pa.concat_tables(serial))


def test_no_more_than_two_parts_are_read_at_once(catalogue: Path):
    begun = []

    class Counting(Executor):
        def map(self, read, part):
            begun.append(part)
            return map(read, part)

    parts = [[source] for source in predicting.list_sources(catalogue).sources]
    steps = predicting._read_ahead(
        Counting(), iter(parts), lambda one: predicting.Reading(one.source_id)
    )
    for number, _ in enumerate(steps, start=1):
        assert len(begun) <= number + 1
    assert begun == parts


def test_threads_that_read_leave_the_warning_filters_alone(catalogue: Path):
    """Python's filters are the process'; unguarded threads restore each other's."""
    before = list(warnings.filters)
    sources = predicting.list_sources(catalogue).sources
    with predicting._readers() as pool:
        read = pool.map(
            lambda one: predicting._read(one, 1.8, Preprocessing()).status, 20 * sources
        )
        statuses = list(read)
    assert list(warnings.filters) == before
    assert all("truncated" in one for one in statuses[2::10])


@pytest.mark.parametrize("ending", ["csv", "parquet", "fits", "vot", "ecsv"])
def test_a_reason_with_letters_of_astronomers_can_be_written(
    classifier, tmp_path: Path, ending: str
):
    """A source below 3σ has that letter in its row, and FITS tables know ASCII only."""
    pixels = np.random.default_rng(0).uniform(0, 1, (150, 150))
    np.save(tmp_path / "faint.npy", pixels - 2)
    np.save(tmp_path / "fine.npy", lobes(1).images[0, 0].numpy().astype(float))
    (tmp_path / "list.csv").write_text("id,file\nfaint,faint.npy\nfine,fine.npy\n")
    out = tmp_path / f"decisions.{ending}"
    assert predict(classifier, tmp_path / "list.csv", out, pixel_scale=1.8).n_failed == 1
    status = read_catalogue(out)["status"].texts().tolist()
    assert "stands above 3σ" in status[0]
    assert status[1] == "ok"


def test_wrong_arguments_are_refused_before_any_work(classifier, catalogue: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match="unknown table ending"):
        predict(classifier, catalogue, tmp_path / "out.xls")
    with pytest.raises(ConfigError, match="between 0 and 1"):
        predict(classifier, catalogue, tmp_path / "out.csv", level=90)
    with pytest.raises(DataError, match="no such table"):
        predict(classifier, tmp_path / "absent.csv", tmp_path / "out.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        predict(classifier, tmp_path / "empty", tmp_path / "out.csv")


def test_a_stopped_run_looks_again_at_files_that_were_repaired(
    classifier, catalogue: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(predicting, "PART", 2)
    out, read, join = catalogue.parent / "out.csv", [], predicting.join
    monkeypatch.setattr(predicting, "join", lambda *_, **settings: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        predict(classifier, catalogue, out, pixel_scale=1.8)
    monkeypatch.setattr(predicting, "join", join)
    for broken in ("S2.fits", "S5.fits"):
        (catalogue.parent / broken).write_bytes((catalogue.parent / "S0.fits").read_bytes())
    original = predicting.read_image
    monkeypatch.setattr(
        predicting, "read_image", lambda path: (read.append(path.name), original(path))[1]
    )
    assert predict(classifier, catalogue, out, pixel_scale=1.8).n_failed == 0
    assert sorted(read) == ["S2.fits", "S3.fits", "S4.fits", "S5.fits"], "the parts of both alone"


@pytest.mark.parametrize("damage", ["gone", "cut", "of others"])
def test_parts_that_are_not_whole_are_never_joined(
    classifier, catalogue: Path, monkeypatch: pytest.MonkeyPatch, damage: str
):
    monkeypatch.setattr(predicting, "PART", 4)
    out, join = catalogue.parent / "out.csv", predicting.join

    def spoilt(parts: list[Path], *rest: object, **settings: object) -> object:
        if damage == "gone":
            parts[1].unlink()
        elif damage == "cut":
            parts[1].write_bytes(parts[1].read_bytes()[:100])
        else:
            parts[1].write_bytes(parts[0].read_bytes())
        return join(parts, *rest, **settings)

    monkeypatch.setattr(predicting, "join", spoilt)
    with pytest.raises(StorageError, match="run the same command again"):
        predict(classifier, catalogue, out, pixel_scale=1.8)
    assert not out.exists()
    monkeypatch.setattr(predicting, "join", join)
    if damage != "of others":  # which no accident makes
        assert predict(classifier, catalogue, out, pixel_scale=1.8).n_sources == 10


def test_an_output_that_another_process_writes_is_refused(classifier, catalogue: Path):
    out, told = catalogue.parent / "out.csv", []

    def second() -> None:
        try:
            predict(classifier, catalogue, out, pixel_scale=1.8)
        except StorageError as error:
            told.append(str(error))

    with locks.holding(out):
        other = threading.Thread(target=second)
        other.start()
        other.join()
    assert "another process is writing" in told[0]
