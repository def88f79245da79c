import csv
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import skylobe
from conftest import lobes
from skylobe.cli import main
from skylobe.core import version
from skylobe.core.errors import CheckpointError, CollapseError, DataError
from skylobe.experiments import quickstart
from skylobe.learning import pretrain as pretraining
from skylobe.learning.recipes import recipe
from skylobe.learning.settings import PretrainConfig
from skylobe.models.encoder import build_encoder
from skylobe.models.model import Model, save_model
from skylobe.models.settings import EncoderConfig, Preprocessing

SMALL = EncoderConfig(depth=14, stem="fast", width=8)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Twenty-four labelled images of one's own, as a table of files."""
    image_set = lobes(24)
    rows = ["id,file,label,ra,dec"]
    for row, name in enumerate(image_set.source_ids):
        np.save(tmp_path / f"{name}.npy", image_set.images[row, 0].numpy().astype(np.float32))
        label = image_set.class_names[image_set.labels[row]]
        rows.append(f"{name},{name}.npy,{label},{10 + row},{-5 + row}")
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    encoder = build_encoder(SMALL, seed=1).eval()
    return save_model(Model("small", encoder, Preprocessing(crop_pix=64)), tmp_path / "small")


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main.main([str(one) for one in arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_help_comes_without_torch_and_quickly():
    script = (
        "import sys; from skylobe.cli.main import main; code = main(['--help']);"
        "assert 'torch' not in sys.modules and 'pytest' not in sys.modules; sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert all(name in done.stdout for name in main.COMMANDS)


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_explains_every_option(name: str, capsys: pytest.CaptureFixture[str]):
    code, out, _ = run(capsys, name, "--help")
    assert code == 0
    assert main.COMMANDS[name].function.__doc__.partition("\n")[0].split(";")[0] in " ".join(
        out.split()
    )
    assert "--config" in out
    for word in ("<class", "collections.abc", "Optional[", "Union[", "Sequence["):
        assert word not in " ".join(out.split())  # the terminal has its own words for types


def test_fetch_counts_classes(table: Path, capsys: pytest.CaptureFixture[str]):
    code, out, _ = run(capsys, "fetch", table)
    assert code == 0
    assert "24 images" in out
    assert "one" in out
    assert "12" in out


def test_embed_writes_a_table_with_its_origin(
    table: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "embeddings.parquet"
    code, text, _ = run(capsys, "embed", "--data", table, "--model", model, "--out", out)
    assert code == 0
    assert "24 embeddings of 64 features" in text
    written = pq.read_table(out)
    assert written.column_names == ["source_id", "embedding", "label", "ra", "dec", "remark"]
    assert written.schema.metadata[b"model"] == b"small"
    assert len(written["embedding"][0]) == 64
    assert written["label"].to_pylist()[:2] == ["one", "two"]
    assert written["ra"][0].as_py() == pytest.approx(10)


def test_probe_prints_and_writes_errors_beside_an_untrained_encoder(
    table: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "errors.csv"
    arguments = ["--data", table, "--model", model, "--n_labels", "[6]", "--n_seeds", 2]
    code, text, err = run(capsys, "probe", *arguments, "--out", out)
    assert code == 0, err
    assert "untrained: error" in text
    rows = [row.split(",") for row in out.read_text().splitlines()]
    assert [row[:2] for row in rows[1:]] == [
        [name, count] for name in ("small", "untrained") for count in ("6", "19")
    ]
    assert all(0 <= float(row[2]) <= 100 for row in rows[1:])
    assert [row[6] for row in rows[1:]] == [
        "2",
        "1",
        "5",
        "5",
    ]  # of untrained networks there are five


def test_search_prints_neighbours_and_draws_them(
    table: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "gallery.png"
    arguments = ["--data", table, "--model", model, "--query", "synthetic-2", "--n_neighbours", 4]
    code, text, err = run(capsys, "search", *arguments, "--out", out)
    assert code == 0, err
    assert text.count("synthetic-") == 4
    assert out.read_bytes()[:4] == b"\x89PNG"
    stored = tmp_path / "e.parquet"
    run(capsys, "embed", "--data", table, "--model", model, "--n_views", 8, "--out", stored)
    again = run(capsys, "search", *arguments, "--embeddings", stored)[1]
    assert re.findall(r"synthetic-\d+", again) == re.findall(r"synthetic-\d+", text)


def test_quickstart_writes_where_it_is_told(
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    def write(out: Path, model: str, *, n_views: int) -> None:
        out.write_text(f"{n_views}")

    monkeypatch.setattr(quickstart, "run", write)
    code, text, _ = run(capsys, "quickstart", "--out", tmp_path / "page.html", "--model", model)
    assert code == 0
    assert str(tmp_path / "page.html") in text.replace("\n", "")


def test_info_names_what_is_there(model: Path, capsys: pytest.CaptureFixture[str]):
    code, out, _ = run(capsys, "info")
    assert code == 0
    assert "mirabest" in out
    assert version.versions()["torch"] in out
    assert "crop_pix" in run(capsys, "info", "--model", model)[1]


@pytest.fixture
def pretrained(monkeypatch: pytest.MonkeyPatch, table: Path) -> dict[str, object]:
    """Note how the library was called instead of training."""
    seen: dict[str, object] = {}

    def pretrain(corpus, out, config, *, monitor_set=None, start=None, name=None):
        seen.update(corpus=corpus, out=out, config=config, monitor_set=monitor_set, name=name)
        seen.update(start=start)

    monkeypatch.setattr(pretraining, "pretrain", pretrain)
    return seen


def test_a_model_to_start_from_is_loaded(
    pretrained: dict[str, object], table: Path, capsys: pytest.CaptureFixture[str]
):
    code, _, err = run(
        capsys, "pretrain", "--corpus", table, "--out", "x", "--start", "skylobe-base"
    )
    assert code == 0, err
    assert pretrained["start"].name == "skylobe-base"


@pytest.mark.parametrize("name", ["paper", "skylobe"])
def test_a_recipe_gives_the_settings(
    name: str, pretrained: dict[str, object], table: Path, capsys: pytest.CaptureFixture[str]
):
    code, _, err = run(capsys, "pretrain", "--recipe", name, "--corpus", table, "--out", "x")
    assert (code, err) == (0, "")
    assert pretrained["config"] == recipe(name)
    assert len(pretrained["corpus"]) == 24
    assert pretrained["out"] == Path("x")


def test_options_win_over_the_file_and_the_file_over_the_recipe(
    pretrained: dict[str, object], table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "run.yaml"
    file.write_text("recipe: paper\ntrain:\n  lr: 0.3\n  epochs: 7\nencoder:\n  depth: 34\n")
    arguments = ["pretrain", "--corpus", table, "--out", "x", "--config", file]
    stages = '[{"until": 0.5, "width_pix": 32}]'
    code, _, err = run(capsys, *arguments, "--train.lr", "0.1", "--train.stages", stages)
    assert (code, err) == (0, "")
    config = pretrained["config"]
    assert isinstance(config, PretrainConfig)
    assert (config.train.lr, config.train.epochs, config.encoder.depth) == (0.1, 7, 34)
    assert config.train.stages[0].width_pix == 32
    assert config.byol == recipe("paper").byol


def test_a_printed_config_is_a_config(
    pretrained: dict[str, object], table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    arguments = ["pretrain", "--corpus", table, "--out", "x", "--recipe", "paper"]
    code, out, _ = run(capsys, *arguments, "--train.lr", "0.7", "--print_config")
    assert code == 0
    assert pretrained == {}
    (tmp_path / "printed.yaml").write_text(out)
    assert run(capsys, "pretrain", "--config", tmp_path / "printed.yaml")[0] == 0
    assert pretrained["config"].train.lr == 0.7
    assert pretrained["config"].encoder == recipe("paper").encoder


def test_a_tiny_run_ends_in_a_model(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    small = ["--encoder.depth", 14, "--encoder.width", 8, "--views.crop_pix", 40]
    short = ["--train.epochs", 1, "--train.batch_size", 12, "--train.precision", "fp32"]
    out = tmp_path / "run"
    code, text, err = run(capsys, "pretrain", "--corpus", table, "--out", out, *small, *short)
    assert code == 0, err
    assert (out / "model" / "model.safetensors").exists()
    assert "Model:" in text


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "expected"),
        (["nonsense"], 2, "nonsense"),
        (["pretrain"], 2, "--out"),
        (["pretrain", "--recipe", "soup"], 2, "no recipe 'soup'"),
        (["pretrain", "--train.lr", "big"], 2, "--train.lr: Expected float. Got value: big"),
        (["pretrain", "--config", "absent.yaml"], 2, "absent.yaml"),
        (["embed", "--data", "x", "--out", "y", "--n_views", "3"], 2, "one of [1, 8]"),
        (
            ["search", "--query", "x", "--tables", "t.vot"],
            2,
            "a list, such as '[\"a\"]'. Got value: t.vot",
        ),
        (
            ["search", "--query", "x", "--sizes", "5"],
            2,
            "Expected [float, float] or null. Got value: 5",
        ),
        (
            ["search", "--query", "x", "--n-neighbours", "3"],
            2,
            "Name the index to search with --index",
        ),
        (
            ["finetune", "--data", "x", "--out", "y", "--settings.metod", "z"],
            2,
            "it has method, with_measures",
        ),
        (["embed", "--data", "absent", "--out", "y"], 2, "no set, table or folder"),
        (["info", "--model", "absent"], CheckpointError.exit_code, "absent"),
    ],
)
def test_a_mistake_is_one_line_and_a_code(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
):
    found, out, err = run(capsys, *arguments)
    assert found == code
    assert message in err
    assert err.startswith("skylobe: ")
    assert err.count("\n") == 1
    assert out == ""


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (KeyboardInterrupt(), 130, "stopped; run the same command again to go on"),
        (CollapseError("The features are constant; lower train.lr."), 6, "lower --train.lr"),
    ],
)
def test_a_stopped_run_says_what_next(
    error: BaseException,
    code: int,
    message: str,
    table: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    def pretrain(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(pretraining, "pretrain", pretrain)
    found, _, err = run(capsys, "pretrain", "--corpus", table, "--out", "x")
    assert found == code
    assert message in err


def test_a_stopped_command_that_keeps_nothing_does_not_promise_to_go_on(
    table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def stop(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("skylobe.embed", stop, raising=False)
    code, _, err = run(capsys, "embed", "--data", table, "--out", "x.parquet")
    assert code == 130
    assert "run the same command again to begin anew" in err


def test_the_version_names_the_program_once(capsys: pytest.CaptureFixture[str]):
    code, out, _ = run(capsys, "--version")
    assert code == 0
    assert out.split() == ["skylobe", skylobe.__version__]


def test_one_blank_file_costs_its_own_row_only(
    table: Path,
    model: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
):
    np.save(tmp_path / "synthetic-3.npy", np.zeros((80, 80)))
    np.save(tmp_path / "synthetic-5.npy", np.full((80, 80), np.nan))
    (tmp_path / "synthetic-7.npy").unlink()
    asked = ["--data", table, "--model", model]
    code, text, err = run(capsys, "embed", *asked, "--out", tmp_path / "e.parquet")
    assert code == 0, err
    assert "21 embeddings" in text
    told = sorted(one.getMessage().partition(":")[0] for one in caplog.records)
    assert told == [f"synthetic-{row} is left out" for row in (3, 5, 7)]
    assert "every pixel is blank" in caplog.text
    code, text, err = run(capsys, "index", *asked, "--n_views", 1, "--out", tmp_path / "index")
    assert code == 0, err
    assert "21 sources" in text
    kept = pq.read_table(tmp_path / "e.parquet")
    expected = [row for row in range(24) if row not in (3, 5, 7)]
    assert kept["source_id"].to_pylist() == [f"synthetic-{row}" for row in expected]
    assert kept["ra"].to_pylist() == [10 + row for row in expected]
    for path in tmp_path.glob("synthetic-*.npy"):
        np.save(path, np.zeros((80, 80)))
    code, _, err = run(capsys, "embed", *asked, "--out", tmp_path / "e.parquet")
    assert code == DataError.exit_code
    assert "none of 24 images can be used; the first: " in err


def test_another_classifier_is_not_replaced(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = tmp_path / "mine"
    again = ["finetune", "--data", table, "--out", folder, "--settings.n_views", "1"]
    for _ in range(2):  # the same once more is no other
        assert run(capsys, *again)[0] == 0
    kept = (folder / "classifier.json").read_bytes()
    other = tmp_path / "other.csv"
    other.write_text(table.read_text().replace(",one,", ",single,"))
    code, _, err = run(capsys, *["finetune", "--data", other, *again[3:]])
    assert code == 2
    assert "holds a classifier of mine with other data, classes; name another folder" in err
    code, _, err = run(capsys, *again, "--settings.method", "ridge")
    assert code == 2
    assert "with other settings" in err
    assert (folder / "classifier.json").read_bytes() == kept


def test_a_missing_query_is_told_before_a_set_is_embedded(
    table: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("skylobe.search.searching.embed", lambda *_, **__: pytest.fail("embedded"))
    for query, message in (("absent.fits", "nor an image file"), ("Syntheti-9", "did you mean")):
        asked = ["--data", table, "--model", model, "--query", query]
        code, _, err = run(capsys, "search", *asked)
        assert code == DataError.exit_code
        assert message in err


def test_finetune_then_predict(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    code, text, err = run(
        capsys, "finetune", "--data", table, "--out", tmp_path / "mine", "--settings.n_views", "1"
    )
    assert code == 0, err
    assert "Classifier of" in text
    assert "labels are too few to calibrate" in text
    decisions = tmp_path / "decisions.csv"
    code, text, err = run(
        capsys, "predict", "--data", table, "--classifier", tmp_path / "mine", "--out", decisions
    )
    assert code == 0, err
    assert "0 failed" in text
    assert decisions.read_text().startswith('"source_id","file","status","predicted"')


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Thirty images on noise, rows 20 to 29 to test on; the label of row 21 is wrong."""
    image_set, rng = lobes(30, seed=3), np.random.default_rng(0)
    rows = ["id,file,label,split"]
    for row, image in enumerate(image_set.images.numpy()):
        np.save(tmp_path / f"N{row}.npy", image[0] + rng.normal(0, 9, image[0].shape))
        split = "test" if row >= 20 else "train"
        label = "one" if row % 2 == 0 or row == 21 else "two"
        rows.append(f"N{row},N{row}.npy,{label},{split}")
    (tmp_path / "noisy.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "noisy.csv"


@pytest.fixture
def made(labelled: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    folder = labelled.parent / "made"
    arguments = ["--data", labelled, "--split", "train", "--out", folder, "--model", model]
    quick = ["--settings.n_views", "1", "--settings.method", "ridge"]
    assert run(capsys, "finetune", *arguments, *quick)[0] == 0
    return folder


def test_evaluate_prints_what_its_table_and_page_say(
    labelled: Path, made: Path, model: Path, capsys: pytest.CaptureFixture[str]
):
    page, scores = labelled.parent / "page.html", labelled.parent / "scores.csv"
    arguments = ["--classifier", made, "--data", labelled, "--split", "test", "--level", "0.6"]
    curve = ["--train", labelled, "--train_split", "train", "--model", model, "--n_draws", 1]
    code, text, err = run(capsys, "evaluate", *arguments, *curve, "--out", page, "--scores", scores)
    assert code == 0, err
    with scores.open(newline="") as file:
        rows = list(csv.DictReader(file))
    wrong = sum(one["true"] != one["predicted"] for one in rows)
    assert len(rows) == 10
    assert wrong > 0
    assert f"{wrong} of 10" in text
    assert f"{wrong} of 10" in page.read_text()
    for command in ("finetune", "evaluate"):
        assert f"skylobe {command} --" in page.read_text(), "what to type to repeat it"
    assert "--level 0.6" in page.read_text()
    assert "measures alone" in text


def test_evaluate_refuses_what_says_nothing(
    labelled: Path, made: Path, capsys: pytest.CaptureFixture[str]
):
    def refused(data: Path, *more: str) -> str:
        code, out, err = run(capsys, "evaluate", "--classifier", made, "--data", data, *more)
        assert code in (2, 3, 5)
        assert out == ""
        assert err.count("\n") == 1
        return err

    assert "trained on 20 of its 30 images" in refused(labelled)
    other = labelled.with_name("other.csv")
    text = labelled.read_text()
    other.write_text(text.replace(",one,", ",three,"))
    assert "its classes are three, two, the classifier's one, two" in refused(other)
    other.write_text("\n".join(line for line in text.splitlines() if ",one," not in line))
    assert "no source of class 'one'" in refused(other, "--split", "test")
    other.write_text(text.splitlines()[0] + "\n")
    assert "no rows" in refused(other)
    other.write_text(text.replace(",one,", ",,").replace(",two,", ",,"))
    assert "has no labels" in refused(other)
    assert "between 0 and 1" in refused(labelled, "--level", "90")
    (made / "head.safetensors").write_bytes(b"x")
    assert "copy the folder again" in refused(labelled)


def test_finetune_refuses_labels_that_teach_nothing(
    table: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    head, *rows = table.read_text().splitlines()
    few = tmp_path / "few.csv"

    def fit(*chosen: str) -> tuple[int, str]:
        few.write_text("\n".join([head, *chosen]) + "\n")
        arguments = ["--data", few, "--out", tmp_path / "few", "--model", model]
        code, _, err = run(capsys, "finetune", *arguments, "--settings.n_views", "1")
        assert err.count("\n") == (code != 0)
        return code, err

    code, err = fit(rows[0], rows[2])
    assert code == 3
    assert "label" in err
    assert fit(rows[0])[0] == 3
    assert fit(rows[0], rows[1]) == (0, ""), "one label per class, fewer than a batch, is enough"


def test_the_full_budget_tunes_and_says_when_it_could_not_calibrate(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    common = ["--data", table, "--out", tmp_path / "mine", "--budget", "full"]
    settings = ["--recipe", "paper", "--settings.epochs", "1", "--settings.n_blocks", "0"]
    code, text, err = run(capsys, "finetune", *common, *settings)
    assert code == 0, err
    assert "validation_share 0.2" in text
    code, _, err = run(capsys, "finetune", *common, "--settings.soup", "1")
    assert code == 2
    assert "no setting 'soup'" in err
    code, _, err = run(capsys, "finetune", *common[:4], "--settings.soup", "1")
    assert code == 2
    assert "soup" in err


def test_a_config_that_is_not_yaml_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "run.yaml").write_text("train: [unclosed")
    code, _, err = run(capsys, "pretrain", "--config", tmp_path / "run.yaml")
    assert code == 2
    assert "run.yaml: not a YAML file" in err


@pytest.mark.parametrize(
    ("experiment", "labels", "figures"),
    [("table6", "36", ["figure4", "figure4_not_drawn", "figure5"]), ("figure7", "72", ["figure7"])],
)
def test_reproduce_writes_a_section_and_its_figures(
    experiment: str,
    labels: str,
    figures: list[str],
    mirror: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    out = tmp_path / "results.md"
    out.write_text("# Mine\n")
    command = ["reproduce", experiment, "--labels", f"[{labels}]", "--tiny", "true", "--out", out]
    code, text, err = run(capsys, *command)
    assert code == 0, err
    assert "trainings, " in text
    written = out.read_text()
    assert written.startswith("# Mine\n")
    assert f"skylobe reproduce {experiment} --labels '[{labels}]' --tiny true" in written
    for name in figures:
        assert f"(figures/{name}.png)" in written
        assert (tmp_path / "figures" / f"{name}.png").stat().st_size > 10_000
    code, _, _ = run(capsys, *command, "--finished_only", "true")
    assert code == 0
    assert out.read_text() == written
    code, _, err = run(capsys, *command[:2], "--labels", "[100]", "--tiny", "true")
    assert code == 2
    assert "no row of 100 labels" in err
