"""The experiments' tables and figures, from outcomes made up for the purpose."""

from dataclasses import replace

import numpy as np
import pytest

from skylobe.classify.settings import AdaptConfig
from skylobe.core.errors import ConfigError
from skylobe.experiments import (
    cross_survey,
    cross_validation,
    depth,
    label_curve,
    registry,
    timings,
)
from skylobe.experiments.outcome import Outcome
from skylobe.experiments.paper import FIGURE_7_BLOCKS, TABLE_6, TIMINGS
from skylobe.experiments.scale import Scale
from skylobe.images import datasets
from skylobe.learning.recipes import finetune_recipe
from skylobe.models.loading import load_model


def outcome(row: str, arm: str, seed: int, errors: dict[str, tuple[int, int]]) -> Outcome:
    """Make an outcome with so many wrong sources of so many in each test set."""
    logits, labels = {}, {}
    for test, (wrong, size) in errors.items():
        labels[test] = [one % 2 for one in range(size)]
        decided = [1 - one if place < wrong else one for place, one in enumerate(labels[test])]
        logits[test] = [[2.0, -2.0] if one == 0 else [-2.0, 2.0] for one in decided]
    novelty = {test: np.linspace(0, 1, size).tolist() for test, (_, size) in errors.items()}
    return Outcome(row, arm, seed, 36, 300.0, 60.0, "a CPU", 2.0, 0.6, logits, labels, novelty)


@pytest.fixture
def curve() -> list[Outcome]:
    wrong = {"supervised": 20, "fine-tuned": 10, "fast budget": 15}
    return [
        outcome(
            row,
            arm,
            seed,
            {
                "confident": (n + seed, 104),
                "not drawn": (5 * n, 797),
                "uncertain": (n, 49),
                "uncertain, all": (3 * n, 389),
            },
        )
        for row in ("36", "145")
        for arm, n in wrong.items()
        for seed in (0, 2)
    ]


def test_each_test_set_has_a_table_of_its_own_count(curve: list[Outcome]):
    text = label_curve.report(curve).text
    confident, rest, uncertain, every = text.split("| labels |")[1:]
    assert "| 20.19 ± 0.96 | 10.58 ± 0.96 | 15.38 ± 0.96 |" in confident
    assert "-9.62 ± 0.00" in confident  # paired: the seeds' own spread cancels
    assert f"{100 * 50 / 797:.2f} ± 0.00" in rest
    assert "20.41 ± 0.00" in uncertain
    assert f"{100 * 30 / 389:.2f} ± 0.00" in every
    assert "19.03 ± 1.39 | 16.15 ± 1.00" in confident
    assert "19.03" not in uncertain


def test_rows_that_were_not_run_are_not_shown(curve: list[Outcome]):
    text = label_curve.report([one for one in curve if one.row == "36"]).text
    assert "| 36 | 300 | 2 |" in text
    assert "| 145 |" not in text
    assert "| 72 |" not in text


def test_figures_name_their_axes_and_every_line(curve: list[Outcome]):
    figures = label_curve.report(curve).figures
    panel = figures["figure4"].axes[0]
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("labels", "test error (%)")
    names = [text.get_text() for text in panel.get_legend().get_texts()]
    assert names == [*label_curve.ARMS, "supervised, published", "fine-tuned, published"]
    assert len(figures["figure5"].axes[0].get_legend().get_texts()) == 3


def test_both_starts_see_as_many_images():
    for row in TABLE_6:
        arms = label_curve.settings(Scale(max_images=1000), row.n_labels, seed=3)
        assert {arms[arm].seed for arm in label_curve.ARMS} == {3}
        epochs = [arms[arm].epochs for arm in ("supervised", "fine-tuned")]
        assert epochs == [min(300, 1000 / row.n_labels)] * 2
    plain = label_curve.settings(Scale(), 36, seed=0)
    assert plain["fine-tuned"] == replace(finetune_recipe("paper"), n_views=8)
    assert plain["fast budget"] == AdaptConfig()
    assert len({one.n_views for one in plain.values()}) == 1, (
        "views are worth points to any network"
    )


def test_the_table_is_the_papers():
    assert [row.n_labels for row in TABLE_6] == [36, 72, 145, 291, 437, 583, 656, 729]
    assert all(row.finetuned.mean < row.supervised.mean for row in TABLE_6)
    assert Scale(labels=(145,)).counts([36, 145]) == [145]
    with pytest.raises(ConfigError, match="no row of 100 labels; choose from 36, 145"):
        Scale(labels=(100,)).counts([36, 145])


def test_depth_tells_blocks_apart():
    outcomes = [
        outcome(str(blocks), count, 0, {"confident": (20 - blocks, 104)})
        for count in ("72", "729")
        for blocks in FIGURE_7_BLOCKS
    ]
    report = depth.report(outcomes)
    assert "| 9 | 10.58 | 10.58 |" in report.text
    lines = report.figures["figure7"].axes[0].get_legend().get_texts()
    assert [one.get_text() for one in lines] == ["72 labels", "729 labels"]


def test_timings_stand_beside_the_papers():
    arms = timings.settings(Scale(), 0)
    assert set(TIMINGS) <= set(arms)
    outcomes = [outcome("364", arm, seed, {"rest": (40, 469)}) for arm in arms for seed in (0, 1)]
    text = timings.report(outcomes).text
    assert "| one block | 300 | 60.0 (60.0–60.0) | 8.53 ± 0.00 |  | 262 |" in text


def test_cross_validation_compares_on_the_splits_that_both_arms_have():
    tests = {"uncertain": (100, 389), "hybrid": (0, 34)}
    outcomes = [
        outcome("confident", "fast budget", seed, {"confident": (16 + seed % 5, 167), **tests})
        for seed in range(10)
    ] + [
        outcome("confident", "supervised", seed, {"confident": (26 + seed % 5, 167), **tests})
        for seed in range(5)
    ]
    text = cross_validation.report(outcomes).text
    assert "| fast budget | 10 |" in text
    assert f"{-1000 / 167:+.2f} ± 0.00" in text
    confidence = text.split("novelty AUC")[1]
    assert "0.50" in confidence  # the made-up novelty is the same in every population


def test_arms_that_tune_the_encoder_do_only_some_of_the_splits():
    few = Scale(seeds=2)
    tuned = [
        split for split in range(50) if "fine-tuned" in cross_validation.settings(few, 667, split)
    ]
    assert tuned == list(range(10))
    assert all("fast budget" in cross_validation.settings(few, 667, split) for split in range(50))


def test_no_source_is_trained_on_and_tested_in_another_survey(mirror):
    confident = datasets.load("mirabest", subset="confident")
    surveys = cross_survey.Surveys(
        mirabest=datasets.load("mirabest", subset="confident", split="train"),
        others={"NVSS": confident.select(range(100))},
        twins={"NVSS": confident.select(range(100))},
        fixed={"MiraBest confident": confident.select(range(200, 260))},
    )
    tests, pools = cross_survey._draw(surveys, seed=1)
    assert set(pools) == {"MiraBest", "NVSS", "MiraBest + NVSS"}
    assert len(pools["NVSS"]) == 70
    assert not set(pools["NVSS"].source_ids) & set(tests["NVSS"].source_ids)
    assert (tests["FIRST, same sources"].source_ids == tests["NVSS"].source_ids).all()
    again, _ = cross_survey._draw(surveys, seed=1)
    assert (again["NVSS"].source_ids == tests["NVSS"].source_ids).all()
    other, _ = cross_survey._draw(surveys, seed=2)
    assert set(other["NVSS"].source_ids) != set(tests["NVSS"].source_ids)


def test_cross_survey_counts_each_survey_alone():
    tests = {"NVSS": (60, 176), "MiraBest confident": (10, 104)}
    outcomes = [
        outcome(row, arm, seed, tests)
        for row in ("MiraBest", "NVSS")
        for arm in cross_survey.ARMS
        for seed in (0, 1)
    ]
    text = cross_survey.report(outcomes).text
    assert "| 34.09 ± 0.00 | 9.62 ± 0.00 |" in text
    assert "MIGHTEE's record was not at hand" in text


def test_every_experiment_has_a_room_with_its_functions():
    for name, room in registry.ROOMS.items():
        module = __import__(f"skylobe.experiments.{room}", fromlist=["x"])
        whole = hasattr(module, "measure_all")
        needed = ("measure_all",) if whole else ("trainings", "report")
        assert all(callable(getattr(module, one)) for one in needed), name
        assert module.TITLE


def test_no_source_is_drawn_and_tested(mirror):
    made = label_curve.trainings(load_model("skylobe-base"), Scale(seeds=2, labels=(36, 729)))
    assert [(one.row, one.arm) for one in made[:4]] == [
        *(("36", arm) for arm in label_curve.ARMS),
        ("729", "supervised"),
    ]
    for one in made:
        drawn = set(one.labelled.source_ids)
        assert len(drawn) == int(one.row)
        assert len(one.tests["not drawn"]) == 833 - len(drawn)
        assert not any(drawn & set(test.source_ids) for test in one.tests.values())
