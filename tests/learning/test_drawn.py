"""Trainings on drawn views: nothing but seed and step decides, and stopping leaves no trace."""

import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from skylobe.core.errors import CheckpointError, ConfigError
from skylobe.core.settings import to_dict
from skylobe.learning.drawn.averaging import decay_at, first_average, update_average
from skylobe.learning.drawn.branching import branch
from skylobe.learning.drawn.feed import DrawnFeed, rich_sources
from skylobe.learning.drawn.finish import averaged_encoder, finish
from skylobe.learning.drawn.loop import STATE_FILE, DrawnTrainer
from skylobe.learning.drawn.settings import DrawnConfig
from skylobe.learning.method_settings import LejepaConfig
from skylobe.learning.state import read_state
from skylobe.models.encoder import build_encoder
from skylobe.models.model import load_folder, save_model
from skylobe.models.settings import EncoderConfig
from skylobe.sky.rendering.groups import Groups
from skylobe.sky.rendering.view_settings import DrawConfig
from skylobe.sky.rendering.views import Sketcher

TINY = DrawnConfig(
    encoder=EncoderConfig(width=8),
    draw=DrawConfig(view_pix=32),
    lejepa=LejepaConfig(hidden=16, projection=8, n_directions=16),
    batch_size=8,
    lr=0.02,
    warmup_steps=2,
    precision="fp32",
)


def feed(n_sources=30, config=TINY):
    rng = np.random.default_rng(0)
    counts = torch.from_numpy(rng.integers(1, 5, n_sources))
    n = int(counts.sum())
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    places = torch.from_numpy(rng.normal(0, 15, (n, 2)).astype(np.float32))
    flux = torch.from_numpy(rng.uniform(0.005, 0.05, n).astype(np.float32))
    moments = torch.tensor([4.0, 9.0, 1.0]).repeat(n, 1)
    sky = np.zeros(n_sources)
    groups = Groups(starts, places, flux, moments, sky, sky)
    targets = torch.from_numpy(
        rng.normal(size=(len(config.draw.spans), n_sources, 5)).astype(np.float32)
    )
    return DrawnFeed(Sketcher(groups, config.draw), n_sources // 2, targets, config)


@pytest.fixture(autouse=True)
def few_statistics(monkeypatch):
    monkeypatch.setattr("skylobe.learning.drawn.loop.STATISTICS_STEPS", 2)


def weights(trainer):
    return torch.cat([one.flatten() for one in trainer.method.state_dict().values()])


def finish_of(folder):
    DrawnTrainer(feed(), TINY, folder).run(until=3)
    return finish(folder, feed())


def test_a_step_s_batch_depends_on_seed_and_step_alone():
    one, other = feed(), feed()
    later = [one.batch(step) for step in (3, 1)][1]
    assert torch.equal(later.views, other.batch(1).views)
    assert torch.equal(later.targets, other.batch(1).targets)
    assert not torch.equal(later.views, one.batch(2).views)
    assert not torch.equal(later.views, feed(config=replace(TINY, seed=1)).batch(1).views)


def test_a_batch_holds_the_shares_asked_for():
    found = feed()
    sources = found.sources(0)
    assert (sources[:4] < 15).all()
    assert torch.isin(sources[4:6], rich_sources(found.sketcher.groups)).all()
    assert (sources[6:] >= 15).all()


def test_the_cost_of_a_batch_does_not_grow_with_the_catalogue():
    small, large = feed(1_000), feed(100_000)

    def seconds(which):
        best = np.inf
        for step in range(8):
            began = time.process_time()
            which.batch(step)
            best = min(best, time.process_time() - began)
        return best

    seconds(small), seconds(large)
    assert seconds(large) < 3 * seconds(small)


def test_a_killed_training_goes_on_to_the_bit(tmp_path):
    whole = DrawnTrainer(feed(), TINY, tmp_path / "whole")
    whole.run(until=12)
    DrawnTrainer(feed(), TINY, tmp_path / "parts").run(until=7)
    resumed = DrawnTrainer(feed(), TINY, tmp_path / "parts")
    resumed.run(until=12)
    assert torch.equal(weights(whole), weights(resumed))
    for name, value in whole.average.items():
        assert torch.equal(value, resumed.average[name]), name


def test_a_stem_on_finer_pixels_goes_on_as_before(tmp_path):
    begun = finish_of(tmp_path / "before")
    save_model(begun, tmp_path / "model")
    config = replace(
        TINY,
        encoder=EncoderConfig(width=8, stem="fast"),
        draw=replace(TINY.draw, view_pix=64),
        start=str(tmp_path / "model"),
    )
    trainer = DrawnTrainer(feed(config=config), config, tmp_path / "after")
    carried = trainer.method.encoder.eval()
    fine = torch.rand(3, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    coarse = functional.avg_pool2d(fine, 2)
    assert torch.allclose(carried(fine), begun.encoder(coarse), atol=1e-5)


def test_a_start_of_another_shape_or_grid_is_refused(tmp_path):
    save_model(finish_of(tmp_path / "before"), tmp_path / "model")
    wide = replace(TINY, encoder=EncoderConfig(width=16), start=str(tmp_path / "model"))
    with pytest.raises(ConfigError, match="width 16"):
        DrawnTrainer(feed(config=wide), wide, tmp_path / "after")
    same_grid = replace(
        TINY, encoder=EncoderConfig(width=8, stem="fast"), start=str(tmp_path / "model")
    )
    with pytest.raises(ConfigError, match="stem"):
        DrawnTrainer(feed(config=same_grid), same_grid, tmp_path / "after")


def test_a_training_begins_with_the_weights_it_is_given(tmp_path):
    begun = finish_of(tmp_path / "before")
    save_model(begun, tmp_path / "model")
    config = replace(TINY, start=str(tmp_path / "model"))
    trainer = DrawnTrainer(feed(config=config), config, tmp_path / "after")
    for name, weight in begun.encoder.named_parameters():
        assert torch.equal(trainer.method.encoder.get_parameter(name), weight), name
    trainer.run(until=2)
    made = finish(tmp_path / "after", feed(config=config))
    assert made.provenance["start"]["images_seen"] == 3 * TINY.batch_size
    assert f"{5 * TINY.batch_size} were seen in all" in made.card


def test_settings_written_before_grids_had_names_are_of_32_pixels():
    record = to_dict(DrawnConfig())
    del record["draw"]["view_pix"]
    assert DrawnConfig.of_record(record).draw.view_pix == 32
    assert DrawnConfig.of_record(to_dict(TINY)) == TINY


def test_other_settings_are_refused(tmp_path):
    DrawnTrainer(feed(), TINY, tmp_path).run(until=1)
    other = replace(TINY, lr=0.1)
    with pytest.raises(CheckpointError, match="settings"):
        DrawnTrainer(feed(config=other), other, tmp_path).run(until=2)


def test_the_loss_falls(tmp_path):
    trainer = DrawnTrainer(feed(), TINY, tmp_path)
    losses = [float(trainer.train_step()) for _ in range(40)]
    assert np.mean(losses[-8:]) < np.mean(losses[:8])


def test_the_average_is_the_power_weighted_mean():
    network = torch.nn.Linear(1, 1, bias=False)
    average = first_average(network)
    values, shares = [3.0, 1.0, 4.0, 1.5], []
    for update, value in enumerate(values, start=1):
        torch.nn.init.constant_(network.weight, value)
        update_average(average, network, update)
        shares = [share * decay_at(update) for share in shares] + [1 - decay_at(update)]
    assert float(average["weight"]) == pytest.approx(np.dot(values, shares), rel=1e-5)
    assert sum(shares) == pytest.approx(1)


def test_the_average_gets_statistics_of_its_own(tmp_path):
    DrawnTrainer(feed(), TINY, tmp_path).run(until=6)
    state = read_state(tmp_path / STATE_FILE, {}, torch.device("cpu"))
    trainer = DrawnTrainer(feed(), TINY, tmp_path)
    encoder = averaged_encoder(state["average"], feed(), trainer.preprocessing, n_batches=2)
    assert not encoder.training
    assert torch.equal(encoder.conv1.weight.detach(), state["average"]["conv1.weight"])
    assert not torch.equal(encoder.bn1.running_mean, state["average"]["bn1.running_mean"])
    assert encoder.bn1.num_batches_tracked == 2
    assert build_encoder(TINY.encoder).state_dict().keys() == encoder.state_dict().keys()


def test_shares_above_one_are_refused():
    with pytest.raises(ConfigError, match="shares"):
        DrawnConfig(rgz_share=0.8, rich_share=0.4)


def test_a_finished_training_says_what_it_is_and_can_be_kept(tmp_path):
    DrawnTrainer(feed(), TINY, tmp_path / "run").run(until=3)
    model = finish(tmp_path / "run", feed(), name="tiny", excludes=("mirabest", "frdeep"))
    assert model.provenance["images_seen"] == 24
    kept = load_folder(save_model(model, tmp_path / "model"))
    assert DrawnConfig.of_record(kept.provenance["config"]) == TINY
    assert kept.preprocessing.crop_pix * kept.preprocessing.pixel_scale == 126
    assert "24 images of sources" in kept.card
    assert "mirabest, frdeep" in kept.card
    images = torch.rand(2, 1, 32, 32)
    assert torch.allclose(kept.encoder(images), model.encoder(images), atol=1e-4)


def test_nothing_can_be_finished_that_was_not_begun(tmp_path):
    with pytest.raises(CheckpointError, match="no training yet"):
        finish(tmp_path, feed())


def test_a_branch_of_a_cooling_training_goes_on_from_its_rate(tmp_path):
    cooling = replace(TINY, cool_from=2, cool_steps=8)
    DrawnTrainer(feed(config=cooling), cooling, tmp_path / "trunk").run(until=6)
    config = branch(tmp_path / "trunk", tmp_path / "branch", 2)
    assert config.rate_at(6) == pytest.approx(cooling.rate_at(6)) == pytest.approx(TINY.lr / 2)
    assert [config.rate_at(step) for step in (7, 8)] == pytest.approx([TINY.lr / 4, 0.0])


def test_a_branch_cools_down_and_the_trunk_goes_on(tmp_path):
    DrawnTrainer(feed(), TINY, tmp_path / "trunk").run(until=5)
    before = (tmp_path / "trunk" / STATE_FILE).read_bytes()
    config = branch(tmp_path / "trunk", tmp_path / "branch", 4)
    assert (config.cool_from, config.end) == (5, 9)
    trainer = DrawnTrainer(feed(config=config), config, tmp_path / "branch")
    trainer.run(until=9)
    assert trainer.step == 9
    assert trainer.optimiser.param_groups[0]["lr"] == pytest.approx(TINY.lr / 4)
    assert (tmp_path / "trunk" / STATE_FILE).read_bytes() == before
    model = finish(tmp_path / "branch", feed(config=config))
    found = model.encoder.state_dict()["conv1.weight"]
    assert torch.equal(
        found, trainer.method.encoder.state_dict()["conv1.weight"]
    )  # not the average
    assert "over the last 4 steps the learning rate fell to 0" in model.card
    with pytest.raises(CheckpointError, match="must be new"):
        branch(tmp_path / "trunk", tmp_path / "branch", 4)
