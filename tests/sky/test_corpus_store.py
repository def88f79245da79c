import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from skylobe.core.errors import ConfigError, DataError, StorageError
from skylobe.sky.corpus.exclusion import Exclusion
from skylobe.sky.corpus.rows import Rows
from skylobe.sky.corpus.store import Corpus, CorpusSettings

SETTINGS = CorpusSettings("VLA FIRST", 8, 1.8)
NOTHING = Exclusion.of_nothing()


def rows(start, stop, *, width=8, reasons=None, value=None):
    numbers = np.arange(start, stop)
    pixels = torch.arange(len(numbers) * width**2, dtype=torch.float32).reshape(-1, width, width)
    pixels = pixels * 1e-6 + torch.from_numpy(numbers)[:, None, None] * 1e-3
    return Rows(
        ids=np.array([f"S{n}" for n in numbers]),
        positions=SkyCoord(numbers * 0.5, numbers * 0.1 - 20, unit="deg"),
        pixels=pixels.float() if value is None else torch.full_like(pixels, value),
        sizes=numbers * 2.0,
        reasons=reasons,
    )


def everything(corpus, size=1024):
    return {
        one: pixels
        for batch in corpus.batches(size)
        for one, pixels in zip(batch.ids.tolist(), batch.pixels, strict=True)
    }


def test_what_is_written_is_read_to_the_bit(tmp_path):
    corpus = Corpus.create(tmp_path / "c", SETTINGS, NOTHING)
    assert corpus.counts() == {"accepted": 0, "failed": 0}
    assert list(corpus.batches()) == []
    written = rows(0, 50)
    written.pixels[3, 2:4] = torch.nan
    corpus.append(written)
    corpus.append(rows(50, 60))
    reopened = Corpus(tmp_path / "c")
    reopened.compact()
    (whole,) = reopened.batches(100)
    assert whole.ids.tolist() == [f"S{n}" for n in range(60)]
    torch.testing.assert_close(whole.pixels[:50], written.pixels, rtol=0, atol=0, equal_nan=True)
    np.testing.assert_array_equal(whole.positions.ra.deg[:50], written.positions.ra.deg)
    np.testing.assert_array_equal(whole.sizes, np.arange(60) * 2.0)
    assert next(len(batch) for batch in corpus.batches(7)) == 7
    some = corpus.read(["S52", "S3"])
    assert some.ids.tolist() == ["S52", "S3"]
    torch.testing.assert_close(some.pixels[1], written.pixels[3], equal_nan=True)
    facts = corpus.facts()
    assert len(facts) == 60
    assert facts.pixels.shape == (60, 0, 0)


@given(st.floats(-12, 3), st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_sixteen_bits_keep_pixels_to_a_two_thousandth(exponent, seed):
    """A field's fluxes span five orders of magnitude, whatever their unit."""
    folder = os.path.join(os.environ["SKYLOBE_CACHE"], f"half-{seed}-{exponent}")
    corpus = Corpus.create(Path(folder), CorpusSettings("VLA FIRST", 8, 1.8, "float16"), NOTHING)
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randn(4, 8, 8, generator=generator) * 10**exponent
    pixels[:, 0, 0] *= 1e4
    if corpus.counts()["accepted"] == 0:
        names = np.array([f"S{n}" for n in range(4)])
        corpus.append(Rows(names, SkyCoord(np.arange(4.0), np.zeros(4), unit="deg"), pixels))
        (kept,) = corpus.batches()
        peak = pixels.abs().amax((1, 2), keepdim=True)
        assert ((kept.pixels - pixels).abs() <= pixels.abs() * 2**-10 + peak * 1e-7).all()


def test_failed_rows_keep_their_reason_and_are_replaced(tmp_path):
    corpus = Corpus.create(tmp_path / "c", SETTINGS, NOTHING)
    reasons = np.array(["", "no answer", ""])
    corpus.append(rows(0, 3, reasons=reasons))
    assert corpus.counts() == {"accepted": 2, "failed": 1}
    assert corpus.failures() == {"S1": "no answer"}
    assert sorted(everything(corpus)) == ["S0", "S2"]
    corpus.append(rows(1, 2))
    assert corpus.counts() == {"accepted": 3, "failed": 0}
    assert sorted(everything(corpus)) == ["S0", "S1", "S2"]


@pytest.mark.parametrize("second", [rows(4, 7), rows(9, 10)])
def test_nothing_is_in_it_twice(tmp_path, second):
    corpus = Corpus.create(tmp_path / "c", SETTINGS, NOTHING)
    corpus.append(rows(0, 5))
    if second.ids[0] == "S9":
        second = Rows(np.array(["S9", "S9"]), second.positions[[0, 0]], second.pixels[[0, 0]])
    with pytest.raises(DataError, match="would be in it twice"):
        corpus.append(second)
    assert corpus.counts()["accepted"] == 5


def test_an_excluded_source_never_gets_in(tmp_path):
    evaluated = Exclusion(("mirabest",), SkyCoord([1.0], [-19.8], unit="deg"))
    corpus = Corpus.create(tmp_path / "c", SETTINGS, evaluated)
    with pytest.raises(DataError, match=r"S2 among them.*mirabest.*Exclusion\.allows"):
        corpus.append(rows(0, 4))
    assert Corpus(tmp_path / "c").exclusion.names == ("mirabest",)
    corpus.append(rows(3, 6))


def test_a_corpus_is_opened_again_only_with_the_same_settings(tmp_path):
    Corpus.create(tmp_path / "c", SETTINGS, NOTHING).append(rows(0, 2))
    assert len(Corpus.create(tmp_path / "c", SETTINGS, NOTHING).ids()) == 2
    with pytest.raises(ConfigError, match="other settings"):
        Corpus.create(tmp_path / "c", CorpusSettings("NVSS", 8, 15.0), NOTHING)
    evaluated = Exclusion(("mirabest",), SkyCoord([200.0], [0.0], unit="deg"))
    with pytest.raises(ConfigError, match="other settings or exclusions"):
        Corpus.create(tmp_path / "c", SETTINGS, evaluated)
    with pytest.raises(DataError, match="8×8 pixels, not 9×9"):
        Corpus(tmp_path / "c").append(rows(5, 6, width=9))


def test_what_is_no_corpus_is_said_to_be_none(tmp_path):
    with pytest.raises(DataError, match="not a corpus"):
        Corpus(tmp_path)
    (tmp_path / "corpus.json").write_text("{")
    with pytest.raises(DataError, match="not a corpus"):
        Corpus(tmp_path)
    with pytest.raises(ConfigError, match="2 pixels or more"):
        CorpusSettings("x", 1, 1.8)


def test_only_one_process_writes(tmp_path):
    corpus = Corpus.create(tmp_path / "c", SETTINGS, NOTHING)
    with corpus.writing(), pytest.raises(StorageError, match="another process"), corpus.writing():
        pass
    with corpus.writing():
        pass


def test_compacting_loses_nothing(tmp_path):
    corpus = Corpus.create(tmp_path / "c", SETTINGS, NOTHING)
    for start in range(0, 40, 4):
        corpus.append(rows(start, start + 4))
    before = everything(corpus)
    corpus.compact()
    after = everything(corpus)
    assert len(after) == 40
    assert all(torch.equal(after[one], pixels) for one, pixels in before.items())


def _append_for_ever(folder):
    corpus = Corpus(folder)
    start = len(corpus.ids())
    while True:
        corpus.append(rows(start, start + 16))
        start += 16


def test_a_killed_writer_leaves_whole_batches(tmp_path):
    corpus = Corpus.create(tmp_path / "c", SETTINGS, NOTHING)
    for _ in range(3):
        writer = multiprocessing.get_context("spawn").Process(
            target=_append_for_ever, args=(tmp_path / "c",)
        )
        before = len(corpus.ids())
        writer.start()
        deadline = time.monotonic() + 60
        while len(corpus.ids()) < before + 48 and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        ids = corpus.ids()
        assert len(ids) % 16 == 0
        assert len(ids) >= before + 48
        assert ids.tolist() == [f"S{n}" for n in range(len(ids))]
    width = 8**2
    for batch in corpus.batches():
        numbers = np.array([int(one[1:]) for one in batch.ids])
        expected = (numbers % 16) * width * 1e-6 + numbers * 1e-3
        np.testing.assert_allclose(batch.pixels[:, 0, 0].numpy(), expected, rtol=1e-5, atol=1e-9)


def test_a_first_batch_that_was_killed_is_none(tmp_path):
    corpus = Corpus.create(tmp_path / "c", SETTINGS, NOTHING)
    (tmp_path / "c" / "sources.lance" / "data").mkdir(parents=True)
    (tmp_path / "c" / "sources.lance" / "data" / "half.lance").write_bytes(b"half")
    (tmp_path / "c" / "sources.lance" / "_versions").mkdir()
    assert corpus.counts() == {"accepted": 0, "failed": 0}
    corpus.append(rows(0, 4))
    assert sorted(everything(corpus)) == ["S0", "S1", "S2", "S3"]
    assert corpus.version() != "0"


def _own_memory_mb():
    """Memory of this process that belongs to no file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(one for one in lines if one.startswith("RssAnon")).split()[1]) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read off /proc")
def test_memory_does_not_grow_with_the_corpus(tmp_path):
    corpus = Corpus.create(tmp_path / "c", CorpusSettings("x", 64, 1.8), NOTHING)
    pixels = torch.randn(256, 64, 64)  # 4 MB a batch, 200 MB in all
    positions = SkyCoord(np.arange(256.0), np.zeros(256), unit="deg")
    memory = []
    for batch in range(50):
        ids = np.char.add(f"B{batch}S", np.arange(256).astype(np.str_))
        corpus.append(Rows(ids, positions, pixels))
        memory.append(_own_memory_mb())
    assert memory[-1] - memory[10] < 60
    corpus.compact()
    seen = [(float(one.pixels.sum()), _own_memory_mb()) for one in corpus.batches(128)]
    assert len(seen) >= 100
    assert seen[-1][1] - seen[20][1] < 60
