"""The page for contributors: its changes apply to the package as it is, and do what they promise."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
CHANGES = {
    title: part.split("```diff\n")[1].split("```")[0]
    for title, part in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
}
DATA_SET = """
from skylobe.core.errors import ConfigError
from skylobe.images import datasets
found = datasets.load("rubies", root="data", brighter_than=0.5)
assert found.source_ids.tolist() == ["R1", "R2"] and found.class_names == ("FRI", "FRII")
assert found.images.shape == (2, 1, 100, 100) and found.images.any()
for wrong in ({"brighter": 1}, {"split": "train"}):
    try:
        datasets.load("rubies", root="data", **wrong)
    except ConfigError:
        continue
    raise AssertionError(wrong)
"""
METHOD = """
from pathlib import Path
import numpy as np, torch
from skylobe.core.settings import from_dict, to_dict
from skylobe.images.image_set import ImageSet
from skylobe.learning.pretrain import pretrain
from skylobe.learning.methods.simclr import surprise
from skylobe.learning.settings import PretrainConfig, TrainConfig, ViewConfig
from skylobe.learning.method_settings import SimclrConfig
from skylobe.models.settings import EncoderConfig
config = PretrainConfig(
    encoder=EncoderConfig(depth=14, stem="fast", width=8),
    views=ViewConfig(crop_pix=32, n_small=1),
    method="simclr",
    simclr=SimclrConfig(hidden=16, projection=8),
    train=TrainConfig(epochs=3, batch_size=8, warmup_epochs=1, accelerator="cpu"),
)
assert from_dict(PretrainConfig, to_dict(config)) == config
assert surprise(torch.eye(2).repeat(2, 1), 0.01) < 1e-6
images = torch.from_numpy(np.random.default_rng(0).integers(0, 255, (16, 1, 40, 40), np.uint8))
names = np.array([f"S{row}" for row in range(16)])
model = pretrain(ImageSet("noise", images, names, pixel_scale=1.8), Path("run"), config)
assert "SimCLR between two random views" in model.card
"""
SURVEY = """
from skylobe.sky import surveys
from skylobe.cli.main import main
assert surveys.get("WENSS").beam == 54
assert main(["surveys", "--name", "wenss"]) in (0, None)
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package with all five changes."""
    folder = tmp_path_factory.mktemp("contributed")
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for title, change in CHANGES.items():
        command = ["git", "apply", "--verbose", "-"]
        place = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)}
        done = subprocess.run(
            command,
            cwd=folder,
            input=change,
            env=place,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{title}: {done.stderr}"
    return folder


def run(copy: Path, code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code with the changed package, in a folder of its own."""
    place = {**os.environ, "PYTHONPATH": str(copy / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=folder, env=place, capture_output=True, text=True, timeout=300, check=False
    )


def test_the_page_shows_five_changes():
    assert list(CHANGES) == [
        "A data set",
        "A self-supervised method",
        "A survey",
        "A tab of the app",
        "An experiment",
    ]


@pytest.mark.parametrize("title", CHANGES)
def test_a_change_is_as_short_as_the_page_says(title):
    """One new file, and no more than a few lines elsewhere; a tab has a script, a method settings."""
    changed = re.split(r"^--- ", CHANGES[title], flags=re.MULTILINE)[1:]
    new = [part for part in changed if part.startswith("/dev/null")]
    assert len(new) == {"A survey": 0, "A tab of the app": 2}.get(title, 1)
    rest = [line for part in changed if part not in new for line in part.splitlines()]
    assert sum(line[:1] == "-" for line in rest) <= 3


def test_a_data_set_is_loaded_by_its_name(copy, tmp_path):
    row, column = np.mgrid[-60:60, -60:60]
    lobes = [np.exp(-((column - x) ** 2 + row**2) / 30) for x in (0, 9, 3)]
    noise = np.random.default_rng(0).normal(0, 1e-3, (3, 120, 120))
    (tmp_path / "data" / "rubies").mkdir(parents=True)
    np.savez(
        tmp_path / "data" / "rubies" / "rubies.npz",
        pixels=np.stack(lobes) * np.array([1, 1, 0.1])[:, None, None] + noise,
        names=np.array(["R1", "R2", "R3"]),
        labels=np.array([0, 1, 1]),
        sky=np.array([[10.0, 20.0], [11.0, 21.0], [12.0, 22.0]]),
    )
    done = run(copy, DATA_SET, tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_method_trains_a_model(copy, tmp_path):
    done = run(copy, METHOD, tmp_path)
    assert done.returncode == 0, done.stderr
    asked = "import sys; from skylobe.cli.main import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", asked, "pretrain", "--method", "simclr", "--print_config"]
    place = {**os.environ, "PYTHONPATH": str(copy / "src")}
    told = subprocess.run(command, env=place, capture_output=True, text=True, check=False)
    assert "temperature: 0.2" in told.stdout, told.stderr


def test_a_survey_is_listed(copy, tmp_path):
    done = run(copy, SURVEY, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Westerbork" in done.stdout
