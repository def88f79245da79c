import re
from dataclasses import replace

import numpy as np
import pytest

from conftest import lobes
from skylobe.experiments import quickstart
from skylobe.images import datasets
from skylobe.models.encoder import build_encoder
from skylobe.models.model import Model, save_model
from skylobe.models.settings import EncoderConfig, Preprocessing


@pytest.fixture
def galaxies(monkeypatch):
    """Stand in for the real set: the same classes and splits, 60 small images."""
    image_set = lobes(60, name="first_galaxies")
    stand_in = replace(
        image_set,
        labels=np.arange(60) % 4,
        class_names=("FRI", "FRII", "Compact", "Bent"),
        splits=np.array((["train"] * 8 + ["test"] * 4) * 5),
        source_ids=np.array([f"<J{row:03d}&>" for row in range(60)]),
    )
    monkeypatch.setattr(datasets, "load", lambda name, **options: stand_in)
    return stand_in


@pytest.fixture
def model(tmp_path):
    encoder = build_encoder(EncoderConfig(depth=14, stem="fast", width=8), seed=1).eval()
    return save_model(Model("small", encoder, Preprocessing(crop_pix=48)), tmp_path / "small")


def test_the_report_holds_everything_and_needs_nothing(galaxies, model, tmp_path):
    out = tmp_path / "report.html"
    findings = quickstart.run(out, str(model), n_views=1, n_seeds=2)
    page = out.read_text()
    assert page.count("data:image/png;base64,") == 3
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", page), (
        "the page must be self-contained"
    )
    for points in findings.curves.values():
        for point in points:
            assert f"{point.mean:.1f}" in page
    assert findings.found.query.source_ids.tolist() == ["<J011&>"]
    assert "&lt;J011&amp;&gt;" in page, "names from catalogues are escaped"
    assert "<J011&>" not in page
    assert "{{" not in page
    assert set(findings.curves) == {"small", "untrained"}


def test_one_query_and_all_of_its_class_are_searched_from(galaxies, model, tmp_path):
    findings = quickstart.run(tmp_path / "r.html", str(model), n_views=1, n_seeds=1)
    query = findings.found.query
    assert query.labels.tolist() == [3]
    assert query.splits.tolist() == ["test"]
    assert set(findings.precision) == {"small", "untrained"}
    assert all(0 <= one <= 1 for one in findings.precision.values())
    assert findings.truth.shape == findings.predicted.shape == (20,)
