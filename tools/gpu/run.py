"""Do on a compute node, without a network, what ``pack.py`` packed: each part with its own clock.

Run: ``python3 bundle/run.py --out results --minutes 5``. Parts: ``wheels``, ``tests`` (CUDA), ``speed``
(the paper's recipe), ``train`` (drawn views, for the minutes given), ``model``, ``score`` (choosing part)
and ``pieces`` (weights in files of 15 MiB at most); ``--parts`` names some. ``results/parts.jsonl`` gets a
line as each ends and ``results/log.txt`` what it says: a run that is cut off keeps what it has done.
Standard library only.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CODE = HERE / "code"
Part = tuple[list[str], float]  # a command, and the seconds it may take
PIECE = 15 * 2**20  # bytes
SETTINGS = {
    "batch_size": 1024,
    "lr": 0.3,
    "warmup_steps": 300,
}  # a large batch, its rate by its root


def environment(out: Path) -> dict[str, str]:
    """Point Python to the bundle."""
    paths = [str(CODE / "src"), str(CODE / "tests"), str(out / "site")]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")]),
        "SKYLOBE_MIRROR": str(HERE / "mirror"),
        "SKYLOBE_CACHE": str(HERE / "cache"),
        "PYTHONUNBUFFERED": "1",
    }


def commands(options: argparse.Namespace) -> dict[str, Part]:
    """Give each part its command and its time limit in seconds."""
    python, out = sys.executable, options.out
    wheels = sorted(map(str, (HERE / "wheels").glob("*.whl")))
    pip = [python, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-compile"]
    run, model = str(out / "run"), str(out / "model")
    train = ["tools/train_drawn.py", run, "--device", options.device]
    train += ["--minutes", str(options.minutes), "--checkpoint_minutes", "1"]
    train += ["--settings", json.dumps(SETTINGS | options.settings)]
    ship = ["tools/ship_drawn.py", run, "--out", model, "--device", options.device]
    score = ["benchmarks/representations.py", "--models", model, "--repeats", "2", "--seeds", "1"]
    tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/learning/test_cuda.py"]
    return {
        "wheels": ([*pip, "--target", str(out / "site"), *wheels] if wheels else ["true"], 120),
        "tests": ([python, *tests], 180),
        "speed": ([python, "benchmarks/pretrain.py", "--repeat", str(options.repeat)], 180),
        "train": ([python, *train], 60 * options.minutes + 240),  # targets are measured first
        "model": ([python, *ship], 120),
        "score": ([python, *score], 300),
    }


def do(name: str, part: Part, out: Path) -> dict[str, Any]:
    """Run one part and say how it went."""
    command, limit = part
    began = time.monotonic()
    with (out / "log.txt").open("a") as log:
        log.write(f"\n== {name}: {' '.join(command)}\n")
        log.flush()
        try:
            code = subprocess.run(
                command, cwd=CODE, env=environment(out), stdout=log, stderr=log, timeout=limit
            ).returncode
        except subprocess.TimeoutExpired:
            code = -1
    return {"part": name, "code": code, "seconds": round(time.monotonic() - began, 1)}


def cut(model: Path, out: Path) -> dict[str, Any]:
    """Cut the weights into pieces; ``cat model.safetensors.*`` joins them."""
    whole = model / "model.safetensors"
    data = whole.read_bytes() if whole.exists() else b""
    pieces = [data[start : start + PIECE] for start in range(0, len(data), PIECE)]
    for number, piece in enumerate(pieces):
        (out / f"model.safetensors.{number:02d}").write_bytes(piece)
    for name in ("config.json", "preprocessing.json"):
        if (model / name).exists():
            (out / name).write_bytes((model / name).read_bytes())
    return {"part": "pieces", "code": int(not pieces), "pieces": len(pieces), "bytes": len(data)}


def parser() -> argparse.ArgumentParser:
    """Make the parser."""
    made = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    made.add_argument("--out", type=Path, default=Path("results"))
    made.add_argument("--minutes", type=float, default=5.0, help="of training")
    made.add_argument("--repeat", type=int, default=200, help="steps that are timed")
    made.add_argument("--device", default="cuda")
    made.add_argument("--settings", type=json.loads, default={}, help="JSON: fields of DrawnConfig")
    made.add_argument("--parts", nargs="+", default=[], help="by default all")
    return made


def main() -> int:
    """Do the parts in turn; one that fails does not stop the next."""
    options = parser().parse_args()
    options.out = options.out.resolve()
    options.out.mkdir(parents=True, exist_ok=True)
    worst = 0
    parts = commands(options)
    for name in options.parts or [*parts, "pieces"]:
        if name == "pieces":
            found = cut(options.out / "model", options.out)
        else:
            found = do(name, parts[name], options.out)
        with (options.out / "parts.jsonl").open("a") as file:
            file.write(json.dumps(found) + "\n")
        print(found, flush=True)
        worst = worst or found["code"]
    return int(worst != 0)


if __name__ == "__main__":
    sys.exit(main())
