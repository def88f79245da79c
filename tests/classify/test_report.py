import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from conftest import lobes
from skylobe.classify import report as run_report
from skylobe.classify import sentences
from skylobe.classify.adapt import adapt, fit_head
from skylobe.classify.classifier import Classifier, describe, save_classifier
from skylobe.classify.decide import Decisions, decide, write_decisions
from skylobe.classify.fast_curves import FastCurves, fast_curves
from skylobe.classify.scores import summarise
from skylobe.classify.sentences import RunReport
from skylobe.core.errors import ConfigError, DataError
from skylobe.images.image_set import ImageSet
from skylobe.models.encoder import build_encoder
from skylobe.models.model import Model
from skylobe.models.settings import EncoderConfig, Preprocessing
from skylobe.scores.calibration import Calibration
from skylobe.scores.curves import CurvePoint
from skylobe.scores.intervals import clopper_pearson, error_percent


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    grid = Preprocessing(crop_pix=32, pixel_scale=1.8 * 70 / 32, mean=0.02, std=0.1)
    encoder = build_encoder(EncoderConfig(depth=14, stem="fast", width=8)).eval()
    return adapt(Model("toy", encoder, grid), lobes(40, seed=7))


@pytest.fixture(scope="module")
def decisions(classifier: Classifier) -> Decisions:
    """Of a set whose labels are partly wrong, so that there are mistakes to show."""
    plain = lobes(60, seed=8, name="<set>")
    labels = plain.labels.copy()
    labels[:8] = 1 - labels[:8]
    ids = np.array([f"<S{row}&>" for row in range(60)])
    return decide(classifier, replace(plain, labels=labels, source_ids=ids))


def _report(classifier: Classifier, decisions: Decisions, **more: object) -> RunReport:
    settings, commands = {"split": "test"}, ("skylobe evaluate --data 'a <b>'",)
    return RunReport(classifier, decisions, summarise(decisions), settings, commands, **more)


def test_the_page_needs_nothing_and_says_what_was_done(classifier, decisions, tmp_path: Path):
    report = _report(classifier, decisions)
    page = run_report.write(report, tmp_path / "page.html").read_text()
    assert not re.findall(r"""(?:src|href)=["'](?!data:)|@import|url\(|<script""", page)
    assert page.count("data:image/png;base64,") == 4
    assert "{{" not in page
    assert "&lt;set&gt;" in page, "names are escaped"
    assert "<set>" not in page
    assert "skylobe evaluate --data &#39;a &lt;b&gt;&#39;" in page
    for value in sentences.facts(report.score).values():
        assert value in page
    for row in sentences.class_rows(report.score):
        assert all(f"<td>{cell}</td>" in page for cell in row)


def test_the_numbers_are_those_of_the_table_of_sources(classifier, decisions, tmp_path: Path):
    path = write_decisions(tmp_path / "scores.csv", decisions)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [one["source_id"] for one in rows] == decisions.test_set.source_ids.tolist()
    score = summarise(decisions)
    assert sum(one["true"] != one["predicted"] for one in rows) == score.n_errors > 0
    assert sum(one["abstain"] == "true" for one in rows) == 60 - score.n_decided
    assert sum(float(one["novelty"]) > 1 for one in rows) == score.n_novel
    losses = [-np.log(float(one[f"p_{one['true']}"])) for one in rows]
    assert np.mean(losses) == pytest.approx(score.log_loss)
    for one in rows:
        shares = {name: float(one[f"p_{name}"]) for name in ("one", "two")}
        assert one["predicted"] == max(shares, key=shares.get)
    low, high = clopper_pearson(score.n_errors, 60)
    expected = f"{score.error:.1f} % ({low:.1f}–{high:.1f}), {score.n_errors} of 60"
    assert sentences.facts(score)["error"] == expected


def test_mistakes_are_mistakes_and_the_surest_come_first(decisions):
    rows = run_report.mistakes(decisions, 5)
    assert len(rows) == 5
    assert not decisions.right[rows].any()
    confidence = decisions.probabilities.max(1)
    assert (np.diff(confidence[rows]) <= 0).all()
    others = np.setdiff1d(np.flatnonzero(~decisions.right), rows)
    assert (confidence[others] <= confidence[rows].min()).all()


def _with(decisions: Decisions, right: float) -> Decisions:
    """Decisions that are 99 % sure, of which a share is right."""
    n = len(decisions.truth)
    given = np.where(np.arange(n) < right * n, decisions.truth, 1 - decisions.truth)
    shares = np.where(np.arange(2) == given[:, None], 0.99, 0.01)
    return replace(decisions, uncalibrated=shares, probabilities=shares, sets=shares > 0.5)


def test_the_sentences_follow_the_numbers(classifier, decisions, tmp_path: Path):
    perfect, poor = (_report(classifier, _with(decisions, share)) for share in (1.0, 0.6))
    assert sentences.on_classes(perfect) == "No source was given another class than its own."
    assert "cannot tell" in sentences.on_calibration(perfect)
    assert "more than the 90 %" in sentences.on_sets(perfect)
    assert "not chance" in sentences.on_calibration(poor)
    assert "fewer than the 90 %" in sentences.on_sets(poor)
    assert "24 of 60 sources another class" in sentences.on_error(poor)
    page = run_report.write(perfect, tmp_path / "page.html").read_text()
    assert "sure and wrong" not in page, "there is no gallery of no mistakes"


def test_seen_images_and_missing_calibration_are_said(classifier, decisions, tmp_path: Path):
    origin = {"config": {"lr": 0.5, "views": {"blur": 1}}, "command": "skylobe finetune"}
    bare = replace(classifier, calibration=Calibration(), provenance=origin)
    seen = decide(bare, decisions.test_set, level=0.9)
    seen = replace(seen, seen=np.arange(60) < 3)
    page = run_report.write(_report(bare, seen), tmp_path / "page.html").read_text()
    assert "3 of the 60 images are among those that the classifier was trained" in page
    assert "saved without calibration" in page
    assert "lr 0.5" in page
    assert sentences.facts(summarise(seen))["error where decided"] == "none"


def test_too_few_labels_are_said_wherever_the_calibration_is(classifier, decisions, tmp_path: Path):
    said = "40 labels are too few to calibrate"
    page = run_report.write(_report(classifier, decisions), tmp_path / "page.html").read_text()
    record = json.loads(
        (save_classifier(classifier, tmp_path / "mine") / "classifier.json").read_text()
    )
    assert all(said in one for one in (page, classifier._repr_html_(), record["caution"]))
    scores = np.linspace(0, 1, 50)
    enough = replace(classifier, calibration=replace(classifier.calibration, scores=scores))
    assert enough.caution is None
    assert "too few to calibrate" not in enough._repr_html_()
    assert "too few to calibrate" not in sentences.on_calibration(_report(enough, decisions))


def test_the_curves_compare_draw_by_draw():
    ours = [CurvePoint(20, (30.0, 32.0, 34.0), 100), CurvePoint(90, (10.0,), 100)]
    theirs = [CurvePoint(20, (35.0, 37.0, 39.5), 100), CurvePoint(90, (9.0,), 100)]
    curves = FastCurves({"a": ours, "b": theirs, "c": ours}, "set", 90, 0, 8)
    against_b, against_c = sentences.on_curves(curves)
    assert "−5.2 ± 0.2 at 20 labels, +1.0 at 90 labels" in against_b
    assert "apart at 20 (ahead)" in against_b
    assert "Nowhere" in against_c


@pytest.fixture(scope="module")
def sets() -> tuple[ImageSet, ImageSet]:
    """Noisy sets to train and test on, the first three images of the second in both."""
    rng = np.random.default_rng(0)
    train, test = lobes(26, seed=1), lobes(20, seed=2)
    noisy = [
        one.images.numpy() // 2 + rng.integers(0, 90, one.images.shape) for one in (train, test)
    ]
    noisy[0][:3] = noisy[1][:3]
    return tuple(
        replace(one, images=torch.from_numpy(images.astype(np.uint8)))
        for one, images in zip((train, test), noisy, strict=True)
    )


def test_the_curve_is_the_fast_budget_and_never_trains_on_test_images(classifier, sets, tmp_path):
    train, test = sets
    model = classifier.model
    curves = fast_curves(model, train, test, n_views=1, n_draws=1)
    assert list(curves.points) == ["toy", "untrained", "measures alone"]
    assert (curves.n_train, curves.n_left_out) == (23, 3)
    for points in curves.points.values():
        assert [(one.n_labels, len(one.errors)) for one in points] == [(20, 1), (23, 1)]
    fresh = train.select(range(3, 26))
    known, asked = (describe(model, one, n_views=1, with_measures=True) for one in (fresh, test))
    with torch.inference_mode():
        given = fit_head(known, fresh.labels)(torch.from_numpy(asked)).argmax(1).numpy()
    assert curves.points["toy"][-1].errors == (error_percent(test.labels, given),)
    report = _report(classifier, decide(classifier, test), curves=curves)
    page = run_report.write(report, tmp_path / "page.html").read_text()
    assert page.count("data:image/png;base64,") == 4 + bool(report.score.n_errors)
    assert "3 images that are also in the test set were not" in page


def test_a_curve_needs_every_class_in_the_training_set(classifier, sets):
    train, test = sets
    with pytest.raises(DataError, match="do not cover every class"):
        fast_curves(classifier.model, train.select(np.arange(0, 26, 2)), test, n_views=1)
    with pytest.raises(ConfigError, match="one or more"):
        fast_curves(classifier.model, train, test, n_draws=0)
    with pytest.raises(DataError, match="its classes are a, b"):
        fast_curves(classifier.model, replace(train, class_names=("a", "b")), test, n_views=1)
