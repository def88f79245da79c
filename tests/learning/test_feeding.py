import statistics
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import STILL
from skylobe.core.errors import CheckpointError
from skylobe.images.image_set import ImageSet
from skylobe.learning import supply
from skylobe.learning.devices import Part
from skylobe.learning.feeding import Resident, Stored, Streamed, central, fits, image_rows
from skylobe.learning.loop import Trainer
from skylobe.learning.methods import build_method
from skylobe.learning.schedule import Plan, batch_sources, epoch_order
from skylobe.learning.settings import ByolConfig, PretrainConfig, TrainConfig, ViewConfig
from skylobe.learning.supply import Supply
from skylobe.learning.views import make_views
from skylobe.models.encoder import build_encoder
from skylobe.models.settings import EncoderConfig, Preprocessing

CPU = torch.device("cpu")


def numbered(n, repeats=1):
    """Images whose every pixel says which source and which of its images they are."""
    images = torch.arange(n * repeats, dtype=torch.float32).reshape(-1, 1, 1, 1)
    return images.expand(-1, 1, 2, 2).contiguous(), torch.arange(n * repeats).reshape(n, repeats)


def plan_of(n, batch_size, epochs=3):
    return Plan.of(n, TrainConfig(epochs=epochs, batch_size=batch_size))


def shown(one, plan, n_images):
    """Give the rows of both views of every step."""
    rows = []
    for step in range(plan.n_steps):
        generator = torch.Generator().manual_seed(step)
        picks = torch.randint(n_images, (2, plan.batch_size), generator=generator)
        rows.append(torch.stack(one.pairs(step, picks))[:, :, 0, 0, 0])
    return torch.cat(rows, 1).long()


@given(
    n=st.integers(20, 300),
    batch=st.integers(2, 24),
    window=st.integers(24, 200),
    seed=st.integers(),
)
@settings(deadline=None, max_examples=25)
def test_a_streamed_epoch_visits_every_source_once(n, batch, window, seed):
    orders = [epoch_order(n, epoch, seed % 2**40, window) for epoch in range(2)]
    assert all(torch.equal(order.sort().values, torch.arange(n)) for order in orders)
    assert not torch.equal(*orders)
    plan = plan_of(n, batch, epochs=2)
    stream = torch.cat([batch_sources(s, plan, seed % 2**40, window) for s in range(plan.n_steps)])
    wanted = torch.cat(orders)[: len(stream)]
    assert torch.equal(stream[: 2 * n], wanted)


def test_a_window_mixes_runs_from_all_over_the_corpus():
    order = epoch_order(10_000, 0, 0, 1000)
    spread = [float(part.float().std()) for part in order.split(1000)]
    assert min(spread) > 1500, "a stretch of 1,000 neighbours has 289, the whole corpus 2,887"


@pytest.mark.parametrize("repeats", [1, 3])
@pytest.mark.parametrize(("n", "batch", "window"), [(50, 12, 16), (37, 8, 8), (64, 16, 33)])
def test_streaming_shows_what_a_resident_corpus_in_that_order_would(n, batch, window, repeats):
    images, rows = numbered(n, repeats)
    plan = plan_of(n, batch)
    found = shown(Streamed(Stored(images, rows), plan, 5, CPU, Part(), window), plan, repeats)
    for step in range(plan.n_steps):
        sources = batch_sources(step, plan, 5, window)
        generator = torch.Generator().manual_seed(step)
        picks = torch.randint(repeats, (2, batch), generator=generator)
        here = found[:, step * batch : (step + 1) * batch]
        assert torch.equal(here, rows[sources, picks])


@pytest.mark.parametrize("n_devices", [2, 3])
@pytest.mark.parametrize("window", [None, 16])
def test_devices_together_see_what_one_sees(window, n_devices):
    images, rows = numbered(40, 2)
    plan = plan_of(40, 12)

    def one(part):
        if window is None:
            return Resident(Stored(images, rows), plan, 3, CPU, part)
        return Streamed(Stored(images, rows), plan, 3, CPU, part, window)

    alone = shown(one(Part()), plan, 2).reshape(2, plan.n_steps, 12)
    for rank in range(n_devices):
        share = shown(one(Part(rank, n_devices)), plan, 2)
        assert torch.equal(share, alone[:, :, rank::n_devices].flatten(1))


def test_a_stream_can_be_entered_anywhere():
    images, rows = numbered(60)
    plan = plan_of(60, 12)
    picks = torch.zeros(2, 12, dtype=torch.int64)
    whole = Streamed(Stored(images, rows), plan, 0, CPU, Part(), 24)
    late = Streamed(Stored(images, rows), plan, 0, CPU, Part(), 24)
    for step in range(plan.n_steps):
        first, _ = whole.pairs(step, picks)
    assert torch.equal(first, late.pairs(plan.n_steps - 1, picks)[0])
    assert len(whole._held) <= 3


@pytest.mark.parametrize("width", [150, 151, 60])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_the_central_square_is_all_that_views_show(width, interpolation):
    images = torch.rand(8, 1, width, width, generator=torch.Generator().manual_seed(0))
    views = ViewConfig(interpolation=interpolation, jitter=0.0, blur=0.0)
    cut = central(images, views)
    assert cut.shape[2] <= 103
    whole, part = (
        make_views(one, views, torch.Generator().manual_seed(1)) for one in (images, cut)
    )
    differs = (whole - part).abs() > 1e-4  # a nearest pixel may be a tie, rounded either way
    assert differs.float().mean() < 1e-3
    assert central(images, STILL).shape[2] == min(width, 72 + width % 2)


def test_what_exceeds_its_share_of_the_memory_does_not_live_on_the_device(monkeypatch):
    corpus = tiny_corpus(100)
    assert fits(corpus, ViewConfig(), CPU)
    monkeypatch.setattr(
        "skylobe.learning.feeding.available_bytes", lambda device: 2 * 100 * 12 * 12 - 1
    )
    assert not fits(corpus, ViewConfig(), CPU)


def tiny_corpus(n, path=None):
    """A corpus of 12×12 pixels, memory-mapped if a path is given."""
    shape = (n, 1, 12, 12)
    if path is None:
        images = np.zeros(shape, dtype=np.uint8)
    else:
        images = np.memmap(path, dtype=np.uint8, mode="w+", shape=shape)
    images[:, 0, 4:8, 4:8] = np.random.default_rng(0).integers(1, 255, (n, 1, 1), dtype=np.uint8)
    return ImageSet("tiny", torch.from_numpy(images), np.arange(n).astype(np.str_))


SMALL = PretrainConfig(
    encoder=EncoderConfig(depth=14, stem="fast", width=8),
    views=ViewConfig(crop_pix=8, width_pix=8, area=(0.9, 1.0)),
    byol=ByolConfig(projector_hidden=8, projection=8, predictor_hidden=8),
    train=TrainConfig(epochs=3, batch_size=32, accelerator="cpu", precision="fp32"),
)


def tiny_run(folder, corpus, **settings):
    config = replace(SMALL, train=replace(SMALL.train, **settings))
    torch.manual_seed(0)
    method = build_method(build_encoder(config.encoder), config)
    return Trainer(method, Supply(corpus, Preprocessing(mean=0.1, std=0.2), config), config, folder)


@pytest.mark.parametrize("window", [None, 4096])
def test_a_step_costs_the_same_whatever_the_size_of_the_corpus(tmp_path, window):
    """Ten thousand and a million memory-mapped sources, stepped in turn, the order made before.

    Seconds of the processor, not of the clock: what else runs here does not count.
    """
    runs = {
        n: tiny_run(tmp_path / str(n), tiny_corpus(n, tmp_path / f"{n}.u8"), window=window)
        for n in (10**4, 10**6)
    }
    times = {n: [] for n in runs}
    for turn in range(40):
        for n, run in runs.items():
            started = time.process_time()
            run.train_step()
            if turn >= 5:
                times[n].append(time.process_time() - started)
    middle = {n: statistics.median(one) for n, one in times.items()}
    ratio = middle[10**6] / middle[10**4]
    print(f"ratio {ratio:.2f}, {1e3 * middle[10**4]:.1f} ms")
    assert ratio < 1.4


def test_a_streamed_run_goes_on_to_the_same_weights(tmp_path):
    corpus = tiny_corpus(200)
    whole = tiny_run(tmp_path / "whole", corpus, window=48)
    whole.run()
    for stop in (5, 9, None):
        parts = tiny_run(tmp_path / "parts", corpus, window=48)
        parts.run(stop_after=stop)
    assert parts.step == whole.step
    pairs = zip(whole.method.parameters(), parts.method.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_run_keeps_the_order_in_which_it_was_begun(tmp_path, monkeypatch):
    corpus = tiny_corpus(200)
    tiny_run(tmp_path / "streamed", corpus, window=48).run(stop_after=2)
    roomy = tiny_run(tmp_path / "streamed", corpus)
    assert roomy.supply.feed.window is None
    roomy.resume()
    assert roomy.supply.feed.window == 48
    tiny_run(tmp_path / "whole", corpus).run(stop_after=2)
    monkeypatch.setattr(supply, "WINDOW", 48)
    monkeypatch.setattr(supply, "fits", lambda *known: False)
    with pytest.raises(CheckpointError, match="whole corpus on the device"):
        tiny_run(tmp_path / "whole", corpus).resume()


def test_a_source_without_twins_is_repeated():
    rows = image_rows(replace(tiny_corpus(3), source_ids=np.array(["a", "b", "a"])))
    assert rows.tolist() == [[0, 2], [1, 1]]
