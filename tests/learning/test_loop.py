import csv
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from conftest import lobes
from skylobe.core.errors import CheckpointError, CollapseError, ConfigError, DeviceMemoryError
from skylobe.learning.feeding import image_rows
from skylobe.learning.journal import journal
from skylobe.learning.loop import STATE_FILE, Trainer
from skylobe.learning.methods import build_method
from skylobe.learning.monitor import monitor_steps, watching
from skylobe.learning.schedule import Plan, batch_sources, learning_rate
from skylobe.learning.settings import (
    ByolConfig,
    MonitorConfig,
    PretrainConfig,
    Stage,
    TrainConfig,
    ViewConfig,
)
from skylobe.learning.supply import Supply
from skylobe.models.encoder import build_encoder
from skylobe.models.settings import EncoderConfig, Preprocessing

TINY = PretrainConfig(
    encoder=EncoderConfig(stem="fast", width=8),
    views=ViewConfig(crop_pix=48, width_pix=32),
    byol=ByolConfig(projector_hidden=16, projection=8, decay_schedule="cosine"),
    train=TrainConfig(
        epochs=4, batch_size=12, warmup_epochs=1, accelerator="cpu", stages=(Stage(0.5, 24),)
    ),
)


def trainer(folder, config=TINY, corpus=None, watch=None):
    torch.manual_seed(0)
    method = build_method(build_encoder(config.encoder), config)
    corpus = lobes(40) if corpus is None else corpus
    return Trainer(
        method, Supply(corpus, Preprocessing(mean=0.1, std=0.2), config), config, folder, watch
    )


def weights(run):
    return list(run.method.state_dict().values())


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


def test_each_epoch_visits_every_source_once_in_its_own_order():
    plan = Plan.of(10, TrainConfig(epochs=3, batch_size=4))
    stream = torch.cat([batch_sources(step, plan, seed=0) for step in range(8)])[:30]
    epochs = stream.reshape(3, 10)
    assert all(sorted(epoch.tolist()) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch.tolist()) for epoch in epochs}) == 3
    assert not torch.equal(stream, torch.cat([batch_sources(s, plan, 1) for s in range(8)])[:30])


def test_rate_rises_falls_and_never_overshoots():
    plan = Plan.of(100, TrainConfig(epochs=50, batch_size=10, lr=0.2, warmup_epochs=10))
    rates = np.array([learning_rate(step, plan) for step in range(plan.n_steps)])
    peak = 0.2 * 10 / 256
    assert rates.max() == pytest.approx(peak)
    assert rates.argmax() in (99, 100)
    assert (np.diff(rates[:100]) > 0).all()
    assert (np.diff(rates[100:]) < 0).all()
    assert rates[-1] < 1e-4 * peak


def test_images_of_one_source_are_alternatives():
    corpus = lobes(6)
    ids = np.array(["a", "b", "a", "c", "b", "a"])
    rows = image_rows(replace(corpus, source_ids=ids))
    assert rows.tolist() == [[0, 2, 5], [1, 4, 1], [3, 3, 3]]


def test_a_stopped_run_goes_on_to_the_same_weights_bit_for_bit(tmp_path):
    whole = trainer(tmp_path / "whole")
    whole.run()
    for stop in (3, 7, None):
        parts = trainer(tmp_path / "parts")
        parts.run(stop_after=stop)
    assert parts.step == whole.step == 13
    assert same(whole, parts)


KILLED = """
import sys, pathlib
sys.path.insert(0, {tests!r})
import torch
from learning import test_loop
from dataclasses import replace
config = replace(test_loop.TINY, train=replace(
    test_loop.TINY.train, epochs=30, checkpoint_minutes=0.002))
torch.set_num_threads(1)
test_loop.trainer(pathlib.Path(sys.argv[1]), config).run()
print("finished")
"""


@pytest.mark.slow
def test_a_killed_process_resumes_to_the_same_weights(tmp_path):
    """SIGKILL, twice, while it trains; then to the end."""
    tests = os.path.dirname(os.path.dirname(__file__))
    command = [sys.executable, "-c", KILLED.format(tests=tests)]

    def state(name):
        return torch.load(tmp_path / name / STATE_FILE, weights_only=True)

    subprocess.run([*command, str(tmp_path / "whole")], check=True, capture_output=True)
    for _ in range(2):
        process = subprocess.Popen([*command, str(tmp_path / "killed")], stdout=subprocess.DEVNULL)
        before = (tmp_path / "killed" / STATE_FILE).exists() and state("killed")["step"]
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            if (tmp_path / "killed" / STATE_FILE).exists() and state("killed")["step"] > before + 5:
                break
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run([*command, str(tmp_path / "killed")], check=True, capture_output=True)
    whole, killed = state("whole"), state("killed")
    assert whole["step"] == killed["step"]
    for name, tensor in whole["method"].items():
        assert torch.equal(tensor, killed["method"][name]), name
    with (tmp_path / "killed" / "log.csv").open() as file:
        steps = [int(row["step"]) for row in csv.DictReader(file) if row["name"] == "loss"]
    assert steps == sorted(set(steps)), "no step is logged twice"


def test_config_is_left_as_it_was(tmp_path):
    before = repr(TINY)
    trainer(tmp_path).run(stop_after=2)
    assert repr(TINY) == before


def test_training_state_of_other_settings_is_refused(tmp_path):
    trainer(tmp_path).run(stop_after=2)
    other = replace(TINY, train=replace(TINY.train, epochs=5))
    with pytest.raises(CheckpointError, match="differs in corpus or schedule"):
        trainer(tmp_path, other).run()
    (tmp_path / STATE_FILE).write_bytes(b"PK half a file")
    with pytest.raises(CheckpointError, match=STATE_FILE):
        trainer(tmp_path).run()


def test_collapse_stops_the_run_with_an_explanation(tmp_path):
    config = replace(TINY, monitor=MonitorConfig(every=0.2, min_spread=0.5))
    with pytest.raises(CollapseError, match="same embedding"):
        trainer(tmp_path, config, watch=lambda encoder, width: {"spread": 0.1}).run()


def test_a_diverged_loss_stops_the_run(tmp_path):
    run = trainer(tmp_path)
    with torch.no_grad():
        run.method.objective.predictor[0].weight.fill_(math.nan)
    with pytest.raises(CollapseError, match="loss is nan"):
        run.run()


def poison(run, at):
    """Make a weight NaN after a step."""
    original = run.train_step

    def train_step():
        loss = original()
        if run.step == at:
            with torch.no_grad():
                run.method.objective.predictor[0].weight[0, 0] = math.nan
        return loss

    run.train_step = train_step
    return run


def test_a_monitor_that_sees_the_divergence_first_says_so(tmp_path):
    """After the last step the loss is still a number, and the weights are none."""
    corpus = lobes(40)
    config = replace(TINY, monitor=MonitorConfig(every=0.5))
    watch = watching(corpus, Preprocessing(crop_pix=48), config, corpus)
    run = trainer(tmp_path, config, corpus, watch)
    original = run.train_step

    def train_step():
        loss = original()
        with torch.no_grad():
            run.method.encoder.conv1.weight[0, 0, 0, 0] = math.nan
        return loss

    run.train_step = train_step
    with pytest.raises(
        CollapseError, match=r"A feature is no longer a number at step .*Lower train\.lr"
    ):
        run.run()


@pytest.mark.parametrize("stop", [None, 9])
def test_a_nan_never_overwrites_the_last_good_state(tmp_path, stop):
    """Whether the loss is read before the state is due, or the state is due first."""
    trainer(tmp_path).run(stop_after=6)
    good = (tmp_path / STATE_FILE).read_bytes()
    with pytest.raises(CollapseError, match=r"at step .*state of step 6 is kept in"):
        poison(trainer(tmp_path), 9).run(stop_after=stop)
    assert (tmp_path / STATE_FILE).read_bytes() == good
    hasty = replace(TINY, train=replace(TINY.train, checkpoint_minutes=0.0))
    with pytest.raises(CollapseError, match="A weight is no longer a number at step 9"):
        poison(trainer(tmp_path, hasty), 9).run()
    assert torch.load(tmp_path / STATE_FILE, weights_only=True)["step"] == 8


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
        MemoryError(),
    ],
)
def test_a_full_device_ends_in_a_sentence_and_keeps_the_state(tmp_path, error):
    trainer(tmp_path).run(stop_after=4)

    def train_step():
        raise error

    run = trainer(tmp_path)
    run.train_step = train_step
    with pytest.raises(DeviceMemoryError, match=r"batches of 12 .*step 4 is kept.*batch_size"):
        run.run()
    assert torch.load(tmp_path / STATE_FILE, weights_only=True)["step"] == 4


def test_other_errors_are_left_as_they_are(tmp_path):
    run = trainer(tmp_path)
    run.supply = None
    with pytest.raises(AttributeError):
        run.run()


def test_monitors_look_at_equal_shares_and_at_the_end():
    assert monitor_steps(100, 0.25) == {25, 50, 75, 100}
    assert monitor_steps(7, 0) == {7}


def test_too_small_a_corpus_is_refused():
    with pytest.raises(ConfigError, match="2 or more"):
        Plan.of(1, TrainConfig())


@pytest.mark.slow
def test_two_processes_see_the_same_sources_as_one():
    """Every source of a global batch is on exactly one of the devices."""
    plan = Plan.of(50, TrainConfig(batch_size=12))
    batch = batch_sources(3, plan, 0)
    shares = [batch[rank::2] for rank in range(2)]
    assert sorted(torch.cat(shares).tolist()) == sorted(batch.tolist())
    assert not set(shares[0].tolist()) & set(shares[1].tolist())


def test_the_loss_falls_and_features_do_not_collapse(tmp_path):
    from skylobe.models.embed import features
    from skylobe.scores.health import feature_spread

    config = replace(TINY, train=replace(TINY.train, epochs=12, batch_size=20, lr=0.5, stages=()))
    run = trainer(tmp_path, config)
    run.run()
    with (tmp_path / "log.csv").open() as file:
        losses = [float(row["value"]) for row in csv.DictReader(file) if row["name"] == "loss"]
    assert losses[-1] < 1.0
    images = (lobes(40, seed=5).images.float() / 255 - 0.1) / 0.2
    vectors = features(run.method.encoder, images[:, :, 16:64, 16:64]).numpy()
    assert feature_spread(vectors) > 0.05


def test_a_log_with_an_empty_or_half_written_line_is_gone_on_with(tmp_path):
    (tmp_path / "log.csv").write_text(
        "step,name,value\n1,loss,0.5\n\n2,loss,0.4\nx,loss\n2,rate,0.1"
    )
    with journal(tmp_path, 2, active=True) as write:
        write(3, {"loss": 0.3})
    kept = (tmp_path / "log.csv").read_text().split()
    assert kept == ["step,name,value", "1,loss,0.5", "2,loss,0.4", "3,loss,0.3"]
