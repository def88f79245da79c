"""What a FITS header claims is compared with the bytes that are there."""

import contextlib
import io

import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from hostile.fits_files import PACKED, PLAIN, SKY, file, header, packings, tiles
from skylobe.core.errors import DataError
from skylobe.core.fits_units import sound

GOOD = file(PLAIN | SKY)
IMAGE = {"XTENSION": "'IMAGE   '"} | {k: v for k, v in PLAIN.items() if k != "SIMPLE"}
EXTENSION = file(IMAGE | {"PCOUNT": "0", "GCOUNT": "1"})
NUMBERS = st.one_of(st.integers(-10, 10), st.integers(-(10**19), 10**19))


def units_of(data):
    return sound(io.BytesIO(data))[1]


def test_units_end_where_astropy_ends_them():
    for data in (GOOD, GOOD + EXTENSION):
        with fits.open(io.BytesIO(data)) as hdus:
            ends = [hdu.fileinfo()["datLoc"] + hdu.fileinfo()["datSpan"] for hdu in hdus]
        assert [unit.end for unit in units_of(data)] == ends


@settings(max_examples=200, deadline=None)
@given(
    card=st.sampled_from(["BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "PCOUNT", "GCOUNT"]),
    value=NUMBERS,
    second=st.booleans(),
)
def test_no_unit_is_larger_than_its_file_whatever_its_cards_say(card, value, second):
    empty = header({"SIMPLE": "T", "BITPIX": "8", "NAXIS": "0"})
    data = file((IMAGE if second else PLAIN) | {card: str(value)})
    data = empty + data if second else data
    with contextlib.suppress(DataError):
        view, units = sound(io.BytesIO(data))
        assert view.seek(0, io.SEEK_END) <= len(data)
        for unit in units:
            assert 0 <= unit.start + unit.size <= len(data)


@pytest.mark.parametrize("junk", [b"\0" * 100, b"XTENSION", b"SIMPLE  =", EXTENSION[:2880]])
def test_what_follows_the_image_may_be_anything(junk):
    view, units = sound(io.BytesIO(GOOD + junk))
    assert view.read() == GOOD
    assert len(units) == 1


@pytest.mark.parametrize(
    "odd",
    [
        "naxis1  = 5",
        "NAXIS1= 5",
        " NAXIS1 = 5",
        "HIERARCH NAXIS1 = 5",
        "NAXIS1  = 30",
        "NAXIS1  =30",
    ],
)
def test_a_structural_card_in_an_odd_spelling_is_refused(odd):
    with pytest.raises(DataError, match="NAXIS1 stands there twice or in an odd spelling"):
        units_of(file(PLAIN, odd.encode()))


def test_tiles_are_seen_whatever_stands_around_them():
    for name, data in packings():
        try:
            units = units_of(data)
        except DataError:
            continue
        assert any(unit.is_packed for unit in units), name
    plain = {name: value for name, value in PACKED.items() if name != "ZIMAGE"}
    assert not any(unit.is_packed for unit in units_of(tiles(plain, b"x")))


def test_a_long_header_is_refused_before_it_is_read():
    history = file(PLAIN, *[b"HISTORY"] * 2000)
    assert len(units_of(history)) == 1
    with pytest.raises(DataError, match="too large a header"):
        sound(io.BytesIO(history), header_bytes=100_000)
    many = header(PLAIN | {"NAXIS": "0"}) + header(IMAGE | {"NAXIS": "0"}) * 100
    with pytest.raises(DataError, match="too large a header"):
        sound(io.BytesIO(many), header_bytes=100_000)
