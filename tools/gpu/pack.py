"""Pack code, catalogues, labelled sets and wheels for a compute node that reaches no network.

Run: ``python tools/gpu/pack.py bundle`` where the data are at hand (``SKYLOBE_MIRROR``): a folder of 60
MiB at most. On the node: ``python3 bundle/run.py --out results``. Packages that the node has already
(torch, numpy, scipy, scikit-learn, pyarrow, h5py, matplotlib, rich, tensorboard, …) are not packed;
``--wheels`` names those that are, in the versions of ``constraints.txt``.
"""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from skylobe.core import paths, storage
from skylobe.core.version import versions
from skylobe.experiments.scoreboard_sets import TASKS, load_task, pack, packed_path
from skylobe.images.datasets import blank_sky, first_groups

ROOT = Path(__file__).resolve().parents[2]
MOST = 60 * 2**20  # bytes
N_PATCHES = 2000  # of blank sky
CODE = ("src", "benchmarks", "tests", "tools", "pyproject.toml")
WHEELS = (
    *("astropy", "astropy-iers-data", "pyerfa", "pooch", "platformdirs", "lightning-fabric"),
    *("lightning-utilities", "jsonargparse", "docstring_parser", "jaxtyping", "wadler_lindig"),
    *("beartype", "pytest-socket", "threadpoolctl", "safetensors"),
)
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


def pack_code(folder: Path) -> None:
    """Copy what is committed, without the shipped weights, and say which version it is."""
    archive = folder / "code.tar"
    command = ["git", "-C", str(ROOT), "archive", "-o", str(archive), "HEAD", *CODE]
    subprocess.run([*command, ":(exclude)src/skylobe/models/shipped/*"], check=True)
    code = folder / "code"
    shutil.unpack_archive(archive, code)
    archive.unlink()
    version = versions()["skylobe"]
    named = code / "src" / f"skylobe-{version}.dist-info" / "METADATA"
    named.parent.mkdir(parents=True)
    named.write_text(
        f"Metadata-Version: 2.1\nName: skylobe\nVersion: {version}\n", encoding="utf-8"
    )


def pack_data(mirror: Path, cache: Path) -> None:
    """Write groups, blank sky and labelled sets."""
    first_groups.load()
    laid_out = paths.cache_dir() / "first_groups"
    for path in laid_out.glob(f"{first_groups.VERSION}.*"):
        (cache / "first_groups").mkdir(parents=True, exist_ok=True)
        shutil.copy(path, cache / "first_groups")
    sky = blank_sky.stored().patches[:N_PATCHES].numpy()
    (mirror / blank_sky.STORED).parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(mirror / blank_sky.STORED, images=sky)
    for task in TASKS:
        (mirror / packed_path(task)).parent.mkdir(parents=True, exist_ok=True)
        pack(load_task(task), mirror / packed_path(task))


def pack_wheels(folder: Path, names: list[str], python: str) -> None:
    """Download wheels for the node's Python, none of what they need in turn."""
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "constraints.txt").read_text(), re.M))
    known = {name.lower().replace("_", "-"): (name, pin) for name, pin in pins.items()}
    wanted = [known.get(name.lower().replace("_", "-"), (name, "")) for name in names]
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        str(folder),
    ]
    command += ["--only-binary=:all:", "--python-version", python, "--implementation", "cp"]
    command += [part for one in PLATFORMS for part in ("--platform", one)]
    command += [f"{name}=={pin}" if pin else name for name, pin in wanted]
    subprocess.run(command, check=True)


def parser() -> argparse.ArgumentParser:
    """Make the parser."""
    made = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    made.add_argument("folder", type=Path, help="made anew")
    made.add_argument("--wheels", nargs="*", default=list(WHEELS), help="packages to take along")
    made.add_argument("--python", default="3.12", help="the node's")
    return made


def main() -> int:
    """Pack."""
    options = parser().parse_args()
    with storage.write_folder_atomically(options.folder) as folder:
        pack_code(folder)
        pack_data(folder / "mirror", folder / "cache")
        if options.wheels:
            pack_wheels(folder / "wheels", options.wheels, options.python)
        shutil.copy(Path(__file__).with_name("run.py"), folder)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{options.folder}: {size / 2**20:.1f} MiB")
    if size > MOST:
        print(f"That is more than {MOST / 2**20:.0f} MiB; leave out wheels.", file=sys.stderr)
    return int(size > MOST)


if __name__ == "__main__":
    sys.exit(main())
