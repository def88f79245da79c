import subprocess
import sys

import pytest

import skylobe

LOOK = """
import os, sys
opened = []
sys.addaudithook(lambda event, args: opened.append(args) if event == "open" and "w" in str(args[1])
                 or event.startswith(("socket.", "os.mkdir", "subprocess.")) else None)
import skylobe
heavy = {"torch", "numpy", "astropy", "matplotlib", "rich"} & set(sys.modules)
assert not heavy, heavy
assert not opened, opened
"""


def test_import_loads_nothing_and_touches_nothing():
    subprocess.run([sys.executable, "-B", "-c", LOOK], check=True, timeout=60)


@pytest.mark.parametrize("name", skylobe.__all__)
def test_every_public_name_is_there(name: str):
    assert getattr(skylobe, name) is not None
    assert name in dir(skylobe)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'backbone'"):
        skylobe.backbone  # noqa: B018


def test_the_version_is_the_installed_one():
    assert skylobe.__version__.split(".")[0].isdigit()
