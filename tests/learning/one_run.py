"""A tiny run in a process of its own: ``one_run.py FOLDER STEPS BACKEND SETTINGS``; every step is logged.

Outside pytest, because compilers cannot look through the checks that pytest puts on signatures.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from conftest import lobes
from skylobe.core.errors import SkylobeError
from skylobe.learning import loop
from skylobe.learning.methods import build_method
from skylobe.learning.settings import ByolConfig, PretrainConfig, TrainConfig, ViewConfig
from skylobe.learning.supply import Supply
from skylobe.models.encoder import build_encoder
from skylobe.models.settings import EncoderConfig, Preprocessing

TINY = PretrainConfig(
    encoder=EncoderConfig(depth=14, stem="fast", width=8),
    views=ViewConfig(crop_pix=48, width_pix=32),
    byol=ByolConfig(projector_hidden=16, projection=8, predictor_hidden=16),
    train=TrainConfig(
        epochs=10, batch_size=20, lr=0.02, warmup_epochs=2, accelerator="cpu", precision="fp32"
    ),
)


def broken(graph, inputs):
    raise NotImplementedError("no compiler here")


def compile_with(backend):
    """Let modules be compiled without a C compiler, which takes minutes."""
    original = nn.Module.compile

    def compile(module, *, mode, dynamic):
        original(module, backend=broken if backend == "broken" else backend, dynamic=dynamic)

    nn.Module.compile = compile


def trainer(folder, **settings):
    torch.manual_seed(0)
    config = replace(TINY, train=replace(TINY.train, **settings))
    method = build_method(build_encoder(config.encoder), config)
    return loop.Trainer(
        method, Supply(lobes(40), Preprocessing(mean=0.1, std=0.2), config), config, folder
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    loop.LOG_EVERY = 1
    compile_with(sys.argv[3])
    run = trainer(Path(sys.argv[1]), **json.loads(sys.argv[4]))
    try:
        run.run(stop_after=int(sys.argv[2]) or None)
    except SkylobeError as error:
        sys.exit(f"{type(error).__name__}: {error}")
