import subprocess
import sys

import pytest

from skylobe.core.errors import MissingExtraError
from skylobe.core.extras import EXTRAS, optional

WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {extras!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
from skylobe.cli.main import main
sys.exit(main({arguments!r}))
"""


def without_extras(*arguments):
    code = WITHOUT.format(extras=list(EXTRAS), arguments=list(arguments))
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", [["--help"], ["info"], ["surveys"], ["corpus", "--help"]])
def test_the_rest_works_without_optional_packages(command):
    done = without_extras(*command)
    assert done.returncode == 0, done.stderr


def test_a_missing_package_is_one_sentence_that_names_its_extra(tmp_path):
    (tmp_path / "mine.csv").write_text("name,ra,dec\nA,10,0\n")
    done = without_extras(
        *("corpus", str(tmp_path / "mine.csv"), "--out", str(tmp_path / "c")),
        *("--survey", "nvss", "--exclude", "[]"),
    )
    assert done.returncode == MissingExtraError.exit_code
    assert done.stderr.count("\n") == 1
    assert "pip install 'skylobe[sky]'" in done.stderr


def test_the_app_names_its_own_extra(tmp_path):
    done = without_extras("serve", str(tmp_path / "index"))
    assert done.returncode == MissingExtraError.exit_code
    assert "pip install 'skylobe[app]'" in done.stderr


def test_an_error_inside_a_package_is_not_taken_for_its_absence(monkeypatch):
    def broken(name):
        raise ModuleNotFoundError("No module named 'inner'", name="inner")

    monkeypatch.setattr("importlib.import_module", broken)
    with pytest.raises(ModuleNotFoundError, match="inner"):
        optional("lance")
