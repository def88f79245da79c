"""Whatever FITS astropy writes comes out as the pixels that were written, at every door; or is refused."""

import bz2
import gzip
import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skylobe.app import limits
from skylobe.app.uploads import read_upload
from skylobe.core.errors import DataError
from skylobe.core.unfolding import unfolded
from skylobe.images.files import decode, read_image
from skylobe.sky.cutout import sky_wcs
from skylobe.sky.services.mosaics import Mosaics
from skylobe.sky.surveys.nrao import FIRST

HERE = SkyCoord(206.42, 23.38, unit="deg")
EXACT = {"compression_type": "GZIP_1", "quantize_level": 0}
KINDS = ["u1", "i1", "i2", "u2", "i4", "u4", "f4", "f8"]


def as_bytes(hdus: fits.HDUList | fits.PrimaryHDU) -> bytes:
    file = io.BytesIO()
    hdus.writeto(file)
    return file.getvalue()


def whole(shape: tuple[int, int] = (20, 30)) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1e-3, shape).astype(np.float32)


@given(
    kind=st.sampled_from(KINDS),
    height=st.integers(2, 20),
    width=st.integers(2, 20),
    more_axes=st.integers(0, 2),
    unit=st.sampled_from(["primary", "extension", "second extension", "tiles"]),
    packed=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_pixels_come_out_as_they_were_written(
    kind: str, height: int, width: int, more_axes: int, unit: str, packed: bool, seed: int
):
    rng = np.random.default_rng(seed)
    if kind[0] == "f":
        pixels = rng.normal(0, 10.0 ** rng.integers(-6, 3), (height, width)).astype(kind)
        pixels[rng.random(pixels.shape) < 0.1] = np.nan
        pixels[0, 0] = 1.0
    else:
        limits_ = np.iinfo(kind)
        pixels = rng.integers(limits_.min, limits_.max, (height, width), kind, endpoint=True)
    stored = pixels.reshape((1,) * more_axes + pixels.shape)
    table = fits.BinTableHDU.from_columns([fits.Column("x", "E", array=[1.0])])
    hdus: dict[str, list] = {
        "primary": [fits.PrimaryHDU(stored)],
        "extension": [fits.PrimaryHDU(), fits.ImageHDU(stored)],
        "second extension": [fits.PrimaryHDU(), table, fits.ImageHDU(stored)],
        "tiles": [
            fits.PrimaryHDU(),
            fits.CompImageHDU(pixels, compression_type="GZIP_1", quantize_level=0),
        ],
    }
    if unit == "tiles" and kind in ("u4", "i1"):
        return  # astropy cannot write these as tiles
    data = as_bytes(fits.HDUList(hdus[unit]))
    data = gzip.compress(data) if packed else data
    found = decode(io.BytesIO(data), "a.fits").pixels
    np.testing.assert_array_equal(found, pixels.astype(np.float64))
    assert found.dtype.itemsize >= 4


@given(
    kind=st.sampled_from(["i2", "i4", "u1"]),
    scale=st.sampled_from([1.0, 1e-5, -0.25, 3.0]),
    zero=st.sampled_from([0.0, 32768.0, -1.5, 2147483648.0]),
    blank=st.booleans(),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_whole_numbers_are_scaled_and_blank_as_the_standard_says(
    kind: str, scale: float, zero: float, blank: bool, seed: int
):
    """BSCALE times the stored number plus BZERO; a stored BLANK is no number, whatever the scale."""
    rng = np.random.default_rng(seed)
    stored = rng.integers(0, 200, (12, 9)).astype(kind)
    header = fits.PrimaryHDU(stored).header
    header["BSCALE"], header["BZERO"] = scale, zero
    if blank:
        header["BLANK"] = 77
        stored[3:5] = 77
    body = stored.astype(stored.dtype.newbyteorder(">")).tobytes()
    data = header.tostring(endcard=True, padding=True).encode() + body + bytes(-len(body) % 2880)
    expected = stored * scale + zero
    if blank:
        expected[stored == 77] = np.nan
    np.testing.assert_allclose(decode(io.BytesIO(data), "a.fits").pixels, expected, rtol=1e-6)


CARDS = [
    b"BLANK   =                   -1",
    b"MISFILT                        / filter without a value",
    b"OBSERVER= 'Mu\xf1oz   '",
    b"lowercas=                    1",
    b"EXPOSURE= 1.2.3",
    b"HISTORY a line that has \x7f in it",
    b"COMMENT  \xe2\x80\x9cquoted\xe2\x80\x9d",
]


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("tail", [b"", bytes(777), b"\n", b"x" * 2880])
def test_remarks_are_no_damage_at_any_door(card: bytes, tail: bytes, tmp_path: Path):
    header = sky_wcs(HERE, 1.8, (20, 30)).to_header()
    header["BUNIT"], header["ZZTOP"] = "Jy/beam", 1
    data = as_bytes(fits.PrimaryHDU(whole(), header))
    at = data.index(b"ZZTOP")
    path = tmp_path / "a.fits"
    path.write_bytes(data[:at] + card.ljust(80)[:80] + data[at + 80 :] + tail)
    np.testing.assert_array_equal(read_image(path).pixels, whole())
    np.testing.assert_array_equal(read_upload(path.read_bytes(), "a.fits").pixels, whole())
    cutout = Mosaics(path).cutout(HERE, FIRST, 10, 1.8)
    np.testing.assert_array_equal(cutout.pixels, whole()[5:15, 10:20])


@given(st.integers(0, 8639))
@settings(max_examples=80, deadline=None)
def test_only_missing_pixels_are_truncation(kept: int):
    """A file cut after so many bytes is read if its last pixel is there, padding or not."""
    data = as_bytes(fits.PrimaryHDU(whole()))
    needed = 2880 + whole().nbytes
    if kept >= needed:
        np.testing.assert_array_equal(decode(io.BytesIO(data[:kept]), "a.fits").pixels, whole())
    else:
        with pytest.raises(
            DataError, match=r"^a\.fits: truncated or not FITS .*fetch the file again"
        ):
            decode(io.BytesIO(data[:kept]), "a.fits")


def test_missing_tiles_are_truncation(tmp_path: Path):
    hdu = fits.CompImageHDU(whole((200, 200)), **EXACT)
    data = as_bytes(fits.HDUList([fits.PrimaryHDU(), hdu]))
    for kept in (len(data) // 2, len(data) - 4000):
        with pytest.raises(DataError, match=r"truncated or not FITS"):
            decode(io.BytesIO(data[:kept]), "a.fits.fz")


@given(
    cuts=st.lists(st.integers(1, 11_519), max_size=6),
    padding=st.sampled_from([b"", bytes(100)]),
)
@settings(max_examples=40, deadline=None)
def test_a_gzip_of_any_number_of_members_is_one_file(cuts: list[int], padding: bytes):
    data = as_bytes(fits.PrimaryHDU(whole((40, 50))))
    places = sorted({0, *cuts, len(data)})
    parts = [data[a:b] for a, b in itertools.pairwise(places)]
    packed = b"".join(gzip.compress(part, 1) for part in parts) + padding
    for found in (decode(io.BytesIO(packed), "a.fits"), read_upload(packed, "a.fits.gz")):
        np.testing.assert_array_equal(found.pixels, whole((40, 50)))


def test_what_unfolds_without_end_is_stopped():
    bomb = gzip.compress(bytes(10_000_000))
    for packed in (bomb, bomb * 20, gzip.compress(b"x") * 3 + bomb):
        with pytest.raises(DataError, match="larger than 1 MB"):
            unfolded(io.BytesIO(packed), 1_000_000)
    with pytest.raises(DataError, match="larger than 16 MB"):
        read_upload(gzip.compress(bytes(limits.UPLOAD_BYTES // 2)) * 3, "a.fits.gz")
    with pytest.raises(DataError, match="damaged"):
        unfolded(io.BytesIO(bomb[:100] + b"\xff" * 100 + bomb[200:]), 1_000_000_000)
    assert unfolded(io.BytesIO(bz2.compress(b"abc")), 10).read(3) == b"BZh"


def test_a_larger_image_than_any_cut_out_is_refused_before_it_is_read():
    data = as_bytes(fits.PrimaryHDU(whole()))
    with pytest.raises(DataError, match="30×20 pixels is larger than any cut-out"):
        decode(io.BytesIO(data), "a.fits", max_pixels=599)


def test_the_image_is_chosen_before_its_noise(tmp_path: Path):
    noise = fits.ImageHDU(whole() * 9, name="RMS")
    hdus = [fits.PrimaryHDU(), noise, fits.ImageHDU(whole(), name="IMAGE")]
    np.testing.assert_array_equal(
        decode(io.BytesIO(as_bytes(fits.HDUList(hdus))), "a.fits").pixels, whole()
    )
