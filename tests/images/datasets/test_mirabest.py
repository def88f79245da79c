import csv
import io
import pickle
import tarfile

import numpy as np
import pytest

from skylobe.core.errors import ChecksumError, ConfigError, DataError, UnsafePickleError
from skylobe.images import datasets
from skylobe.images.datasets import mirabest

DIFFERING = "200_147.709-000.888_0.2715_0030.00"  # its pixels are not those of its batch image


@pytest.fixture(scope="module")
def everything(mirror):
    return datasets.load("mirabest", root=mirror)


def test_counts_are_the_published_ones(everything):
    subset, split = everything.columns["subset"], everything.splits
    assert len(everything) == 1256
    assert [(subset == one).sum() for one in ("confident", "uncertain", "hybrid")] == [833, 389, 34]
    confident = subset == "confident"
    assert [(confident & (split == one)).sum() for one in ("train", "test")] == [729, 104]
    assert np.bincount(everything.labels[confident & (split == "train")]).tolist() == [348, 381]
    assert np.bincount(everything.labels[confident & (split == "test")]).tolist() == [49, 55]


def test_order_and_labels_are_those_of_the_table(everything, mirror):
    with (mirror / "mirabest" / "split.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == everything.source_ids.tolist()
    assert [row["split"] for row in rows] == everything.splits.tolist()
    assert [row["batch"] for row in rows] == everything.columns["batch"].tolist()
    assert [int(row["class_index"]) for row in rows] == everything.columns["class_index"].tolist()
    assert [row["code"] for row in rows] == everything.columns["code"].tolist()


def test_images_are_bit_exact_from_fits(everything, mirror):
    made, failed = mirabest.from_fits(mirror / "mirabest" / "fits_sample")
    published = dict(zip(everything.source_ids, everything.images.numpy(), strict=True))
    pairs = [
        (name, image)
        for name, image in zip(made.source_ids, made.images.numpy(), strict=True)
        if name in published
    ]
    differing = {name for name, image in pairs if not np.array_equal(image, published[name])}
    assert len(made) + len(failed) == 36
    assert len(pairs) >= 34
    assert differing == {DIFFERING}
    assert len(failed) == 1
    assert "every pixel is blank" in next(iter(failed.values()))


def test_a_subset_and_split_can_be_asked_for(mirror):
    test = datasets.load("mirabest", split="test", subset="confident", root=mirror)
    assert (len(test), test.class_names) == (104, ("FRI", "FRII"))
    hybrid = datasets.load("mirabest", subset="hybrid", root=mirror)
    assert (len(hybrid), hybrid.class_names[2]) == (34, "Hybrid")
    fine = datasets.load("mirabest", classes="all", root=mirror)
    counts = [339, 49, 9, 191, 3, 432, 4, 195, 19, 15]
    assert np.bincount(fine.labels).tolist() == counts


@pytest.mark.parametrize(
    "wrong", [{"split": "validation"}, {"subset": "sure"}, {"option": 3}], ids=str
)
def test_what_there_is_not_is_refused(wrong):
    with pytest.raises(ConfigError, match="mirabest has no"):
        datasets.load("mirabest", **wrong)


class Attack:
    def __reduce__(self):
        return (print, ("this must not run",))


def test_a_malicious_pickle_does_not_run(capsys):
    with pytest.raises(UnsafePickleError, match=r"builtins.print.*delete it"):
        mirabest.read_batch(pickle.dumps({"data": Attack()}), "data_batch_1")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", [b"", b"nonsense", pickle.dumps([1, 2])])
def test_what_is_no_batch_is_named(content):
    with pytest.raises(DataError, match="data_batch_1"):
        mirabest.read_batch(content, "data_batch_1")


def test_another_archive_is_refused(tmp_path):
    path = tmp_path / mirabest.ARCHIVE
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("batches/data_batch_1"), io.BytesIO())
    with pytest.raises(ChecksumError, match="fetch it again"):
        datasets.load("mirabest", root=tmp_path)
