from dataclasses import replace
from pathlib import Path

import pytest

from conftest import STILL, lobes
from skylobe.checkpoint import Model
from skylobe.config import EncoderConfig, FinetuneConfig, Preprocessing
from skylobe.encoder import build_encoder
from skylobe.errors import ConfigError
from skylobe.experiments import running
from skylobe.experiments.paper import TABLE_6, Published, Row
from skylobe.experiments.running import LabelExperiment, choose_rows, tabulate

ROWS = [Row(10, Published(1, 0), Published(1, 0)), Row(20, Published(1, 0), Published(1, 0))]


@pytest.fixture
def experiment() -> LabelExperiment:
    grid = Preprocessing(crop_pix=32, pixel_scale=1.8 * 70 / 32, mean=0.02, std=0.1)
    model = Model("toy", build_encoder(EncoderConfig(stem="fast", width=8)).eval(), grid)
    tests = {"one": lobes(20, seed=2), "other": lobes(30, seed=3)}
    config = FinetuneConfig(epochs=30, lr=0.02, batch_size=10, views=STILL, accelerator="cpu")
    return LabelExperiment(model, lobes(40, seed=1), tests, config, range(2), max_images=200)


def test_finished_trainings_are_not_repeated(
    experiment: LabelExperiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    calls = []
    original = running.finetune

    def watched(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(running, "finetune", watched)
    with pytest.raises(KeyboardInterrupt):
        experiment.run(ROWS, tmp_path)
    outcomes = experiment.run(ROWS, tmp_path)
    assert len(outcomes) == 8
    assert len(calls) == 9  # eight, and the one that was stopped
    assert experiment.run(ROWS, tmp_path) == outcomes
    assert len(calls) == 9
    replace(experiment, max_images=100).run(ROWS[:1], tmp_path)
    assert len(calls) == 13  # other settings are other trainings


def test_the_images_seen_are_limited_and_both_starts_see_as_many(experiment: LabelExperiment):
    for row in ROWS:
        epochs = {experiment.settings(row.n_labels, init, 0).epochs for init in running.INITS}
        assert epochs == {min(30, 200 / row.n_labels)}


def test_seeds_trained_together_give_the_same_table_rows(
    experiment: LabelExperiment, tmp_path: Path
):
    outcomes = replace(experiment, together=True).run(ROWS[:1], tmp_path)
    assert {(one.init, one.seed) for one in outcomes} == {
        (init, seed) for init in ("model", "random") for seed in (0, 1)
    }
    table = tabulate(outcomes, ROWS[:1], "one", 20, published=True)
    assert table.count("\n") == 2
    assert "1.00 ± 0.00" in table
    assert "| 10 | 20 | 2 |" in table


def test_the_table_is_the_papers(experiment: LabelExperiment):
    assert [row.n_labels for row in choose_rows(None)] == [36, 72, 145, 291, 437, 583, 656, 729]
    assert all(row.finetuned.mean < row.supervised.mean for row in TABLE_6)
    assert choose_rows([145])[0].finetuned == Published(7.79, 0.76)
    with pytest.raises(ConfigError, match="no row of 100 labels"):
        choose_rows([100])
