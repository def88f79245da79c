"""What only a GPU can show; skipped where there is none."""

from dataclasses import replace

import pytest
import torch
from test_drawn import TINY, feed

from skylobe.learning.drawn.loop import DrawnTrainer
from skylobe.sky.rendering.view_draws import Draws, draw_pair
from skylobe.sky.rendering.view_settings import DrawConfig
from skylobe.sky.rendering.views import Sketcher

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
STILL = DrawConfig(
    position_jitter=0.0, flux_jitter=0.0, size_jitter=0.0, angle_jitter=0.0, level=(1e-9, 1e-9)
)


def on_gpu(config=TINY):
    here = feed(config=config)
    sketcher = Sketcher(here.sketcher.groups.to("cuda"), config.draw)
    return type(here)(sketcher, 15, here.targets, config)


def test_a_gpu_draws_what_a_cpu_draws():
    here = Sketcher(feed().sketcher.groups, STILL)
    there = Sketcher(here.groups.to("cuda"), STILL)
    draws = draw_pair(30, STILL, torch.Generator().manual_seed(0))[0]
    moved = Draws(*(one.cuda() for one in vars(draws).values()))
    every = torch.arange(30)
    one = here.views(every, draws, torch.Generator())
    other = there.views(every.cuda(), moved, torch.Generator("cuda")).cpu()
    # whole steps of a 255th may fall to the other side
    assert torch.allclose(one, other, atol=1.5 / 255)


def test_a_step_s_batch_is_the_same_again_on_a_gpu():
    one, other = on_gpu().batch(3), on_gpu().batch(3)
    assert torch.allclose(one.views, other.views, atol=1.5 / 255)
    assert one.views.device.type == "cuda"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_gpu_trains_and_goes_on(precision, tmp_path):
    config = replace(TINY, precision=precision)
    DrawnTrainer(on_gpu(config), config, tmp_path, "cuda").run(until=4)
    trainer = DrawnTrainer(on_gpu(config), config, tmp_path, "cuda")
    trainer.run(until=8)
    assert trainer.step == 8
    assert all(one.isfinite().all() for one in trainer.method.state_dict().values())
