"""Predictions keep a user's columns and classes in every format, and a row that fails has its reason."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import lobes
from skylobe.classify.adapt import adapt
from skylobe.classify.predictions import predict
from skylobe.core.errors import DataError
from skylobe.core.tables import read_catalogue
from skylobe.models.encoder import build_encoder
from skylobe.models.model import Model
from skylobe.models.settings import EncoderConfig, Preprocessing


@pytest.fixture(scope="module")
def classifier():
    grid = Preprocessing(crop_pix=32, pixel_scale=1.8 * 70 / 32, mean=0.02, std=0.1)
    model = Model("toy", build_encoder(EncoderConfig(stem="fast", width=8)).eval(), grid)
    labelled = replace(lobes(40, seed=7), class_names=("S-förmig", "FR II"))
    return adapt(model, labelled)


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    for number, image in enumerate(lobes(3, seed=8).images.numpy()):
        np.save(tmp_path / f"{number}.npy", image[0] * 1e-4)
    (tmp_path / "list.csv").write_text(
        "id,file,redshift,count,seen,code,status\n"
        "0001,0.npy,0.1,1,true,007,old\n"
        f"0002,{'x' * 300}.npy,,,,,\n"
        "0003,2.npy,0.3,3,false,08,new\n"
    )
    return tmp_path / "list.csv"


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "fits", "vot", "ecsv"])
def test_own_columns_and_class_names_survive_every_format(classifier, catalogue, ending):
    out = catalogue.parent / f"decisions.{ending}"
    assert predict(classifier, catalogue, out, pixel_scale=1.8).n_failed == 1
    found = read_catalogue(out)
    assert found["source_id"].names().tolist() == ["0001", "0002", "0003"]
    assert "no such file" in found["status"].texts()[1]
    np.testing.assert_array_equal(found["redshift"].numbers(), [0.1, np.nan, 0.3])
    np.testing.assert_array_equal(found["count"].numbers(), [1, np.nan, 3])
    assert [one.lower() for one in found["seen"].texts()] == ["true", "", "false"]
    assert found["code"].texts().tolist() == ["007", "", "08"]
    assert found["own_status"].texts().tolist() == ["old", "", "new"]
    shares = found["p_S-förmig"].numbers() + found["p_FR II"].numbers()
    assert shares[[0, 2]] == pytest.approx(1, abs=1e-6)


def test_a_table_in_memory_is_predicted_like_a_file(classifier, catalogue, monkeypatch, tmp_path):
    monkeypatch.chdir(catalogue.parent)
    predict(classifier, pd.read_csv(catalogue, dtype=str), tmp_path / "a.csv", pixel_scale=1.8)
    predict(classifier, Path("list.csv"), tmp_path / "b.csv", pixel_scale=1.8)
    one, other = (read_catalogue(tmp_path / name) for name in ("a.csv", "b.csv"))
    np.testing.assert_array_equal(one["novelty"].numbers(), other["novelty"].numbers())
    assert one["code"].texts().tolist() == other["code"].texts().tolist()


def test_a_row_without_a_name_is_named(classifier, catalogue, tmp_path):
    (tmp_path / "list.csv").write_text("id,file\nA,0.npy\n,1.npy\n")
    with pytest.raises(DataError, match="row 2 has no id"):
        predict(classifier, tmp_path / "list.csv", tmp_path / "out.csv")


@pytest.mark.parametrize("safe", [True, False])
def test_formulas_in_own_columns_are_marked_where_that_is_asked(classifier, catalogue, safe):
    catalogue.write_text("id,file,note\n0001,0.npy,=1+1\n0003,2.npy,-2\n")
    out = catalogue.parent / "out.csv"
    predict(classifier, catalogue, out, pixel_scale=1.8, spreadsheet_safe=safe)
    assert ("'=1+1" in out.read_text()) is safe
    assert read_catalogue(out)["note"].texts().tolist() == ["=1+1", "-2"]
