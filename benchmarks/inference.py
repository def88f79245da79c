"""Time the ways an encoder can compute features on one CPU thread, and how far each strays from fp32.

All ways take turns on the same real images in one run, so that a noisy machine disturbs all of them; the
ratio to eager fp32 is what counts. Time is the process' own (CPU seconds), so that images per second are
those of a whole core even where others compute beside it. A way whose library or compiler is not here is
left out with its reason. The fast stem is the shipped model; the paper's is untrained, with the batch
norms' statistics of the images.

Run: ``make bench`` or ``python benchmarks/inference.py`` (8 minutes of CPU time with every library).
"""

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from skylobe.classify.export_onnx import export_onnx
from skylobe.core.version import versions
from skylobe.images import datasets
from skylobe.images.image_set import ImageSet
from skylobe.models.embed import features
from skylobe.models.encoder import Encoder, build_encoder
from skylobe.models.inference import fastest, fold_batch_norm
from skylobe.models.loading import load_model
from skylobe.models.model import Model
from skylobe.models.precision import computes_in_bf16
from skylobe.models.prepare import prepare
from skylobe.models.settings import EncoderConfig, Preprocessing

Way = Callable[[Tensor], Tensor]
PLAIN, CHOSEN = "eager fp32", "`inference.fastest`"


def in_torch(encoder: Callable[[Tensor], Tensor], dtype: torch.dtype) -> Way:
    """Run channels-last images through a module of a precision."""
    return lambda images: encoder(
        images.to(dtype).contiguous(memory_format=torch.channels_last)
    ).float()


def laid_out(encoder: Encoder) -> Encoder:
    """Put the channels of its weights last."""
    return encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def compiled(encoder: Encoder, dtype: torch.dtype, sample: Tensor) -> Way:
    """Compile the folded encoder, weights frozen into the code; the first call compiles."""
    folded = laid_out(fold_batch_norm(encoder).to(dtype))
    torch._dynamo.reset()
    way = in_torch(torch.compile(folded, options={"freezing": True}), dtype)
    way(sample)
    return way


def in_openvino(encoder: Encoder, precision: str, sample: Tensor) -> Way:
    """Convert for OpenVINO on one thread."""
    import openvino

    converted = openvino.convert_model(fold_batch_norm(encoder), example_input=sample)
    settings = {
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": precision,
    }
    network = openvino.Core().compile_model(converted, "CPU", settings)
    return lambda images: torch.from_numpy(network(images.numpy())[0].copy())


def in_onnxruntime(encoder: Encoder, sample: Tensor) -> Way:
    """Export for ONNX Runtime on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    grid = Preprocessing(crop_pix=sample.shape[-1])
    with tempfile.TemporaryDirectory() as folder:
        path = export_onnx(Model("timed", encoder, grid), Path(folder) / "encoder.onnx")
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: torch.from_numpy(session.run(None, {name: images.numpy()})[0])


def ways(encoder: Encoder, sample: Tensor) -> tuple[dict[str, Way], dict[str, str]]:
    """Make every way that this machine allows, and give the reasons for those it does not."""
    fp32, bf16 = torch.float32, torch.bfloat16
    folded, chosen = fold_batch_norm(encoder), fastest(encoder)
    last = laid_out(fold_batch_norm(encoder))
    makers: dict[str, Callable[[], Way]] = {
        PLAIN: lambda: in_torch(encoder, fp32),
        "folded fp32": lambda: in_torch(folded, fp32),
        "folded fp32, weights channels-last": lambda: in_torch(last, fp32),
        "folded bf16": lambda: in_torch(fold_batch_norm(encoder).to(bf16), bf16),
        CHOSEN: lambda: in_torch(chosen, chosen.conv1.weight.dtype),
        "compiled fp32": lambda: compiled(encoder, fp32, sample),
        "compiled bf16": lambda: compiled(encoder, bf16, sample),
        "OpenVINO fp32": lambda: in_openvino(encoder, "f32", sample),
        "OpenVINO bf16": lambda: in_openvino(encoder, "bf16", sample),
        "ONNX Runtime fp32": lambda: in_onnxruntime(encoder, sample),
    }
    if not computes_in_bf16("auto", torch.device("cpu")):
        makers = {name: make for name, make in makers.items() if "bf16" not in name}
    made, missing = {}, {}
    for name, make in makers.items():
        try:
            made[name] = make()
        except Exception as error:  # whatever an optional library or a compiler raises
            missing[name] = f"{type(error).__name__}: {' '.join(str(error).split())[:80]}"
    return made, missing


def with_statistics(images: Tensor) -> Encoder:
    """Make an untrained encoder of the paper's stem whose batch norms know real images."""
    encoder = build_encoder(EncoderConfig(stem="paper"))
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # a plain average
    with torch.no_grad():
        encoder(images)
    return encoder.eval()


def seconds(way: Way, images: Tensor) -> float:
    """Time one pass in CPU seconds."""
    started = time.process_time()
    way(images)
    return time.process_time() - started


@torch.inference_mode()
def compare(title: str, encoder: Encoder, images: Tensor, turns: int) -> list[str]:
    """Time all ways in turns; give a row of the table for each."""
    made, missing = ways(encoder, images)
    times: dict[str, list[float]] = {name: [] for name in made}
    for turn in range(turns + 1):
        for name, way in made.items():
            value = seconds(way, images)
            if turn:  # the first warms up
                times[name].append(value)
    plain = encoder(images)
    rows = []
    for name, way in made.items():
        ratios = sorted(p / t for p, t in zip(times[PLAIN], times[name], strict=True))
        found = way(images)
        cosine = torch.cosine_similarity(plain, found).min().item()
        rate = len(images) / statistics.median(times[name])
        repeats = "yes" if torch.equal(found, way(images)) else "no"
        rows.append(
            f"| {title} | {name} | {rate:.0f} | {statistics.median(ratios):.2f} "
            f"({ratios[0]:.2f}–{ratios[-1]:.2f}) | {cosine:.6f} | {repeats} |"
        )
    return rows + [f"| {title} | {name} | left out | {why} | | |" for name, why in missing.items()]


@torch.inference_mode()
def eight_views(model: Model, images: Tensor, turns: int) -> list[str]:
    """Time eight views of few and of many images, in passes of one view and as ``features`` does."""
    encoder, rows = fastest(model.encoder), []
    for count in (1, 8, 64):
        few = images[:count]
        tasks: dict[str, Way] = {
            "apart": lambda one: torch.stack([features(encoder, one) for _ in range(8)]),
            "together": lambda one: features(encoder, one, n_views=8),
        }
        times: dict[str, list[float]] = {name: [] for name in tasks}
        for turn in range(turns + 1):
            for name, task in tasks.items():
                value = seconds(task, few)
                if turn:
                    times[name].append(value)
        ratios = sorted(a / b for a, b in zip(times["apart"], times["together"], strict=True))
        rates = (8 * count / statistics.median(times[name]) for name in tasks)
        rows.append(
            f"| {count} | {' | '.join(f'{rate:.0f}' for rate in rates)} | "
            f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f}) |"
        )
    return rows


def on_grid(model: Model, image_set: ImageSet, pixels: int) -> Tensor:
    """Bring images to the model's field in so many pixels."""
    field = model.preprocessing.crop_pix * model.preprocessing.pixel_scale
    grid = replace(model.preprocessing, crop_pix=pixels, pixel_scale=field / pixels)
    return prepare(image_set.images, grid, pixel_scale=image_set.pixel_scale)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--images", type=int, default=128)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # exporters and compilers warn of their own affairs
    model = load_model("skylobe-base")
    real = datasets.load("mirabest").select(range(options.images))
    print(f"one thread, {torch.backends.cpu.get_cpu_capability()}, {options.images} images a pass")
    print(", ".join(f"{name} {version}" for name, version in versions().items()))
    print("\n| stem, pixels | way | images/s per core | ratio | smallest cosine | bits repeat |")
    print("|---|---|---|---|---|---|")
    for stem in ("fast", "paper"):
        for pixels in (70, 48):
            images = on_grid(model, real, pixels)
            encoder = model.encoder if stem == "fast" else with_statistics(images)
            print(
                "\n".join(compare(f"{stem}, {pixels}", encoder, images, options.turns)), flush=True
            )
    print("\n| images | views/s, view by view | views/s, together | ratio |\n|---|---|---|---|")
    print("\n".join(eight_views(model, on_grid(model, real, 48), options.turns)))


if __name__ == "__main__":
    main()
