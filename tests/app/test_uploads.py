"""What strangers send."""

import contextlib
import gzip
import io
import time

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from skylobe.app import limits
from skylobe.app.uploads import read_upload, shown_name
from skylobe.core.errors import DataError

PIXELS = np.random.default_rng(0).random((60, 50)).astype(np.float32)


def as_fits(pixels=PIXELS, **cards):
    file = io.BytesIO()
    fits.PrimaryHDU(pixels, fits.Header(cards)).writeto(file)
    return file.getvalue()


def as_png(width, height):
    file = io.BytesIO()
    Image.new("L", (width, height), 9).save(file, "PNG")
    return file.getvalue()


def compressed(shape=(100, 100)):
    file = io.BytesIO()
    parts = [fits.PrimaryHDU(), fits.CompImageHDU(np.zeros(shape, np.float32))]
    fits.HDUList(parts).writeto(file)
    return file.getvalue()


def test_good_images_are_read_whatever_they_are_called():
    for data in (as_fits(), gzip.compress(as_fits())):
        for name in ("mine.fits", "mine.png", "", "../../mine"):
            np.testing.assert_array_equal(read_upload(data, name).pixels, PIXELS)
    assert read_upload(as_png(40, 30), "x.fits").pixels.shape == (30, 40)


def card(data, key, value):
    """Put another value into a header."""
    at = data.index(f"{key:<8}=".encode())
    return data[:at] + f"{key:<8}= {value:>20}".encode() + data[at + 30 :]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a FITS, PNG or JPEG"),
        (b"hello", "not a FITS, PNG or JPEG"),
        (b"\x93NUMPY\x01\x00", "not a FITS, PNG or JPEG"),
        (b"PK\x03\x04", "not a FITS, PNG or JPEG"),
        (b"GIF89a", "not a FITS, PNG or JPEG"),
        (as_fits()[:-3000], "truncated or not FITS"),
        (b"SIMPLE  =" + b"\xff" * 5000, "truncated or not FITS"),
        (card(as_fits(), "NAXIS1", 10**9), "truncated or not FITS"),
        (card(as_fits(), "NAXIS1", -50), "truncated or not FITS"),
        (card(as_fits(), "BITPIX", -31), "truncated or not FITS"),
        (as_fits(np.full((9, 9), np.nan)), "every pixel is blank"),
        (as_fits(np.zeros((3, 9, 9))), "give one plane"),
        (as_fits(np.zeros((2200, 2000), np.uint8)), "larger than any cut-out"),
        (as_png(20_000, 20_000), "more pixels than any cut-out"),
        (as_png(9_500, 9_500), "pixels"),
        (as_png(3000, 3000), "larger than any cut-out"),
        (as_png(50, 50)[:60], "damaged"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "PNG"),
        (b"\xff\xd8\xff" + b"\0" * 100, "JPEG"),
        (gzip.compress(b"SIMPLE  =" + b"\0" * 100_000_000), "larger than 16 MB"),
        (gzip.compress(gzip.compress(as_fits())), "not a FITS, PNG or JPEG"),
        (gzip.compress(as_fits())[:40], "not a FITS"),
        (b"\x1f\x8b" + b"\0" * 40, "compress it again"),
        (compressed(), "funpack"),
        (as_fits(**{f"K{n}": n for n in range(7000)}), "too large a header"),
        (b"SIMPLE  =" + b"\0" * limits.UPLOAD_BYTES, "larger than 16 MB"),
    ],
    ids=lambda value: value if isinstance(value, str) else "data",  # the time is in gzip's bytes
)
def test_bad_files_are_refused_at_once_with_a_sentence(data, message):
    start = time.process_time()
    with pytest.raises(DataError, match=message) as caught:
        read_upload(data, "mine.fits")
    assert time.process_time() - start < 2
    assert "\n" not in str(caught.value)
    assert "0x" not in str(caught.value)  # no address of an object


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_bytes_never_crash_it(data):
    whole = bytearray(data.draw(st.sampled_from([as_fits(), as_png(30, 30), compressed((20, 20))])))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    with contextlib.suppress(DataError):
        read_upload(bytes(whole[:cut]), "mine.fits")


@given(st.text())
def test_a_name_never_holds_a_folder(text):
    shown = shown_name(text)
    assert shown
    assert "/" not in shown
    assert "\\" not in shown
    assert shown.isprintable()
