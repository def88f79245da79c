import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

import skylobe
from models import fake_hub
from skylobe.cli.main import main
from skylobe.core.errors import CheckpointError, ConfigError, MissingExtraError, UnavailableError
from skylobe.models.encoder import build_encoder
from skylobe.models.hub import hub_address, push_to_hub
from skylobe.models.loading import load_model
from skylobe.models.model import FILES, Model, save_model
from skylobe.models.settings import EncoderConfig, Preprocessing

pytest.importorskip("huggingface_hub")


@pytest.fixture
def model():
    encoder = build_encoder(EncoderConfig(depth=14, stem="fast", width=8), seed=3).eval()
    return Model("tiny", encoder, Preprocessing(mean=0.1, std=0.2), {"steps": 7}, "# tiny\n")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub that huggingface_hub takes for its own, and an empty cache."""
    from huggingface_hub import constants

    monkeypatch.chdir(tmp_path)
    with fake_hub.serving() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
        yield hub


def same(one, other):
    ours, theirs = one.encoder.state_dict(), other.encoder.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def folder_of(model, path):
    save_model(model, path)
    return {one.name: one.read_bytes() for one in path.iterdir()}


def test_what_is_sent_comes_back(model, hub):
    address = push_to_hub(model, "me/tiny", private=True)
    commit = address.rpartition("/")[2]
    assert hub.private["me/tiny"]
    assert set(hub.commits["me/tiny"][commit]) == set(FILES)
    again = skylobe.load_model("me/tiny")
    assert same(again, model)
    assert (again.name, again.preprocessing) == (model.name, model.preprocessing)
    assert again.provenance == {"steps": 7, "hub": f"me/tiny@{commit}"}


def test_revisions_are_kept_apart(model, hub):
    first = push_to_hub(model, "me/tiny").rpartition("/")[2]
    push_to_hub(replace(model, name="newer"), "me/tiny")
    assert load_model("me/tiny").name == "newer"
    assert load_model("me/tiny", revision=first).name == "tiny"
    assert load_model(f"hf://me/tiny@{first}").name == "tiny"
    with pytest.raises(UnavailableError, match="no revision v9"):
        load_model("me/tiny", revision="v9")


def test_only_a_model_s_files_are_fetched(model, hub, tmp_path):
    """Code and pickles that lie beside a model stay where they are."""
    files = folder_of(model, tmp_path / "m") | {
        "modeling.py": b"boom",
        "pytorch_model.bin": b"\x80",
    }
    hub.add("me/tiny", files)
    load_model("me/tiny")
    fetched = {path.rpartition("/")[2] for path in hub.asked if "/resolve/" in path}
    assert fetched == set(FILES)


def test_without_a_network_the_cache_answers(model, hub, monkeypatch):
    push_to_hub(model, "me/tiny")
    load_model("me/tiny")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    hub.asked.clear()
    assert same(load_model("me/tiny"), model)
    assert hub.asked == []
    with pytest.raises(UnavailableError, match="cannot be reached"):
        load_model("me/other")


@pytest.mark.parametrize(
    ("status", "remedy"), [(403, "hf auth login"), (500, "try later|cannot be reached")]
)
def test_a_refusal_is_one_sentence(model, hub, status, remedy):
    hub.answer = status
    with pytest.raises(UnavailableError, match=remedy):
        push_to_hub(model, "me/tiny")
    with pytest.raises(UnavailableError) as caught:
        load_model("me/tiny")
    assert "\n" not in str(caught.value)


def test_a_hub_that_is_gone_is_one_sentence(model, hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    for act in (lambda: load_model("me/tiny"), lambda: push_to_hub(model, "me/tiny")):
        with pytest.raises(UnavailableError, match="cannot be reached"):
            act()


def test_an_unknown_name_says_that_no_folder_is_here_either(hub):
    with pytest.raises(UnavailableError, match="neither a folder here nor a model on the hub"):
        load_model("me/unknown")
    with pytest.raises(UnavailableError, match="nor a name that the hub allows"):
        load_model("me/two--dashes")


def test_what_is_no_model_of_ours_is_refused(model, hub, tmp_path):
    hub.add("me/bert", {"config.json": b"{}"})
    with pytest.raises(CheckpointError, match="me/bert: not a skylobe model"):
        load_model("me/bert")
    files = folder_of(model, tmp_path / "m")
    hub.add("me/other", files | {"config.json": json.dumps({"architectures": []}).encode()})
    with pytest.raises(CheckpointError, match="not of a skylobe model"):
        load_model("me/other")


def test_a_folder_comes_before_the_hub(model, hub, tmp_path):
    save_model(replace(model, name="local"), tmp_path / "me" / "tiny")
    hub.add("me/tiny", folder_of(model, tmp_path / "m"))
    assert load_model("me/tiny").name == "local"
    with pytest.raises(CheckpointError, match="no such model folder"):
        load_model("me/mistyped")
    assert hub.asked == []
    assert load_model("hf://me/tiny").name == "tiny"


@pytest.mark.parametrize(
    "name", ["skylobe-base", "./a/b", "../a", "a/b/c", "/a/b", "~/b", "a/", "a/b@v1", "a\\b", ""]
)
def test_what_is_not_an_id_never_leaves_the_computer(name):
    assert hub_address(name) is None


def test_a_revision_belongs_to_the_hub(model, tmp_path):
    with pytest.raises(ConfigError, match="leave revision out"):
        load_model(save_model(model, tmp_path / "m"), revision="v1")
    with pytest.raises(ConfigError, match="give user/name"):
        push_to_hub(model, "tiny")


def test_commands_take_ids(model, hub, tmp_path, capsys):
    hub.add("me/tiny", folder_of(model, tmp_path / "m"))
    assert main(["info", "--model", "me/tiny"]) == 0
    assert "crop_pix" in capsys.readouterr().out
    assert main(["info", "--model", "me/unknown"]) == UnavailableError.exit_code
    assert capsys.readouterr().err.count("\n") == 1


def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match=r"skylobe\[hub\]"):
        load_model("me/tiny")


def test_a_model_of_the_package_needs_no_hub():
    code = "import sys, skylobe; skylobe.load_model('skylobe-base')\n"
    code += "assert 'huggingface_hub' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
