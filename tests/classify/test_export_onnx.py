import json
import logging
from dataclasses import replace

import numpy as np
import pytest
import torch

from conftest import lobes
from skylobe.classify.adapt import adapt
from skylobe.classify.classifier import save_classifier
from skylobe.classify.export_onnx import export_onnx
from skylobe.classify.settings import AdaptConfig
from skylobe.cli.main import main
from skylobe.core.errors import ConfigError
from skylobe.core.settings import from_dict
from skylobe.images.datasets import mirabest
from skylobe.models.embed import features
from skylobe.models.encoder import build_encoder
from skylobe.models.loading import load_model
from skylobe.models.model import Model
from skylobe.models.prepare import prepare, prepare_views
from skylobe.models.settings import EncoderConfig, Preprocessing

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture
def tiny():
    encoder = build_encoder(EncoderConfig(depth=14, stem="paper", width=8), seed=3)
    with torch.no_grad():
        encoder.train()(torch.rand(8, 1, 32, 32, generator=torch.Generator().manual_seed(0)))
    return Model("tiny", encoder.eval(), Preprocessing(crop_pix=32, mean=0.1, std=0.2))


@pytest.fixture(scope="module")
def classifier():
    encoder = build_encoder(EncoderConfig(depth=14, stem="fast", width=8), seed=3).eval()
    model = Model("tiny", encoder, Preprocessing(crop_pix=48))
    config = AdaptConfig(method="logistic", with_measures=False, n_views=8)
    return adapt(model, lobes(60), config)


def run(path, images):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {"images": images.numpy()})


def metadata(path):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.get_modelmeta().custom_metadata_map


@pytest.mark.slow
@pytest.mark.parametrize("n_views", [1, 8])
def test_the_shipped_model_gives_the_same_embeddings_of_real_images(mirror, tmp_path, n_views):
    model = load_model("skylobe-base")
    path = export_onnx(model, tmp_path / "fast.onnx", n_views=n_views)
    real = mirabest.load(split="test", root=mirror)
    grid, scale = model.preprocessing, real.pixel_scale
    images = prepare_views(real.images[:65], grid, pixel_scale=scale, n_views=n_views)
    for count in (1, 2, 7, 65):
        (found,) = run(path, images[:count])
        expected = features(model.encoder, images[:count], n_views=n_views)
        np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("n_views", [1, 8])
def test_any_stem_and_depth(tiny, tmp_path, n_views):
    path = export_onnx(tiny, tmp_path / "tiny.onnx", n_views=n_views)
    images = torch.rand(5, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    expected = features(tiny.encoder, images, n_views=n_views)
    np.testing.assert_allclose(run(path, images)[0], expected, atol=1e-4, rtol=0)


def test_a_model_of_several_angles_takes_them_as_channels(tiny, tmp_path):
    seen = replace(tiny, preprocessing=replace(tiny.preprocessing, spans=(0.8, 1.5)))
    images = torch.rand(3, 2, 32, 32, generator=torch.Generator().manual_seed(1))
    found = run(export_onnx(seen, tmp_path / "eight.onnx", n_views=8), images)[0]
    expected = features(tiny.encoder, images, n_views=8)
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)
    single = run(export_onnx(seen, tmp_path / "one.onnx"), images[:, :1])[0]
    np.testing.assert_allclose(single, features(tiny.encoder, images[:, :1]), atol=1e-4, rtol=0)


def test_a_classifier_gives_its_calibrated_probabilities(classifier, tmp_path):
    path = export_onnx(classifier, tmp_path / "classes.onnx")
    fresh = lobes(20, seed=5)
    grid = classifier.model.preprocessing
    embeddings, probabilities = run(path, prepare(fresh.images, grid, pixel_scale=1.8))
    vectors = features(
        classifier.model.encoder, prepare(fresh.images, grid, pixel_scale=1.8), n_views=8
    ).numpy()
    np.testing.assert_allclose(embeddings, vectors, atol=1e-4, rtol=0)
    np.testing.assert_allclose(probabilities, classifier.probabilities(vectors), atol=1e-4, rtol=0)
    assert json.loads(metadata(path)["skylobe.class_names"]) == ["one", "two"]
    assert metadata(path)["skylobe.n_views"] == "8"


def test_the_preprocessing_travels_along(tiny, tmp_path):
    found = metadata(export_onnx(tiny, tmp_path / "tiny.onnx"))
    stored = json.loads(found["skylobe.preprocessing"])
    assert from_dict(Preprocessing, stored) == tiny.preprocessing
    assert found["skylobe.model"] == "tiny"


def test_the_model_stays_as_it_was(tiny, tmp_path):
    before = {name: one.clone() for name, one in tiny.encoder.state_dict().items()}
    disabled = logging.root.manager.disable
    export_onnx(tiny, tmp_path / "tiny.onnx")
    after = tiny.encoder.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert logging.root.manager.disable == disabled


@pytest.mark.parametrize(
    ("name", "n_views", "remedy"), [("m.pt", 1, "ends in .onnx"), ("m.onnx", 3, "choose 1 or 8")]
)
def test_a_wrong_name_or_number_is_one_sentence(tiny, tmp_path, name, n_views, remedy):
    with pytest.raises(ConfigError, match=remedy):
        export_onnx(tiny, tmp_path / name, n_views=n_views)
    assert list(tmp_path.iterdir()) == []


def test_what_the_graph_cannot_compute_is_refused(classifier, tmp_path):
    with pytest.raises(ConfigError, match="leave n_views out"):
        export_onnx(classifier, tmp_path / "m.onnx", n_views=1)
    with_measures = adapt(classifier.model, lobes(60), AdaptConfig(method="logistic"))
    with pytest.raises(ConfigError, match="with_measures=False"):
        export_onnx(with_measures, tmp_path / "m.onnx")


def test_a_full_disk_leaves_the_old_file(tiny, tmp_path, monkeypatch):
    path = export_onnx(tiny, tmp_path / "tiny.onnx")
    before = path.read_bytes()

    def fail(*_arguments, **_options):
        raise RuntimeError("torn")

    monkeypatch.setattr(torch.onnx.ONNXProgram, "save", fail)
    with pytest.raises(RuntimeError, match="torn"):
        export_onnx(tiny, tmp_path / "tiny.onnx", n_views=8)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_command_tells_a_classifier_from_a_model(classifier, tmp_path, capsys):
    save_classifier(classifier, tmp_path / "c")
    assert main(["convert", str(tmp_path / "c"), "--out", str(tmp_path / "c.onnx")]) == 0
    printed = capsys.readouterr()
    assert "MB: " in printed.out
    assert printed.err == ""
    assert "skylobe.class_names" in metadata(tmp_path / "c.onnx")
