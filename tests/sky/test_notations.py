"""One parser for every door: a position comes back from ten notations, or is refused."""

import math

import numpy as np
import pyarrow as pa
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from skylobe.core.errors import DataError, PositionError
from skylobe.core.table_writing import write_table
from skylobe.core.tables import read_catalogue
from skylobe.sky.positions import parse_position
from skylobe.sky.sources import read_sources
from skylobe.sky.table_positions import positions_in

anywhere = st.builds(
    lambda ra, dec: SkyCoord(ra, dec, unit="deg"),
    st.floats(0.001, 359.99),
    st.one_of(st.floats(-89.9, 89.9), st.floats(-1, 0)),
)


def parts(degrees: float, digits: int) -> tuple[str, int, int, float]:
    """Put an angle apart to sign, whole, minutes and seconds."""
    step = 10**-digits
    total = round(abs(degrees) * 3600 / step)
    whole, rest = divmod(total, round(3600 / step))
    minutes, seconds = divmod(rest, round(60 / step))
    return ("-" if degrees < 0 else "+"), whole, minutes, seconds * step


def sexagesimal(position: SkyCoord, marks: str, between: str = " ") -> str:
    """Write hours and degrees with three marks each."""
    halves = []
    for degrees, own in ((position.ra.deg / 15, marks[:3]), (position.dec.deg, marks[3:])):
        sign, whole, minutes, seconds = parts(degrees, 6)
        written = f"{whole:02d}{own[0]}{minutes:02d}{own[1]}{seconds:09.6f}{own[2]}".strip()
        halves.append(written if not halves else sign + written)
    return between.join(halves)


def pair(position: SkyCoord, form: str = "{ra:.9f} {dec:+.9f}") -> str:
    return form.format(ra=position.ra.deg, dec=position.dec.deg)


def name(position: SkyCoord) -> str:
    _, hours, minutes, seconds = parts(position.ra.deg / 15, 6)
    sign, degrees, arcmin, arcsec = parts(position.dec.deg, 6)
    return (
        f"RGZ J{hours:02d}{minutes:02d}{seconds:09.6f}{sign}{degrees:02d}{arcmin:02d}{arcsec:09.6f}"
    )


def in_frame(position: SkyCoord, frame: str, form: str) -> str:
    there = position.transform_to(frame)
    one, other = there.spherical.lon.deg, there.spherical.lat.deg
    return form.format(ra=one, dec=other)


NOTATIONS = {
    "degrees": pair,
    "brackets": lambda p: pair(p, "({ra:.9f}, {dec:.9f})"),
    "comma": lambda p: pair(p, "{ra:.9f},{dec:.9f}"),
    "semicolon": lambda p: pair(p, "{ra:.9f}; {dec:.9f}"),
    "letters": lambda p: pair(p, "{ra:.9f}d {dec:+.9f}deg"),
    "signs": lambda p: pair(p, "{ra:.9f}° {dec:+.9f}°"),
    "minus": lambda p: pair(p).replace("-", "−"),
    "colons": lambda p: sexagesimal(p, ":: :: "),
    "hms": lambda p: sexagesimal(p, "hmsdms", ""),
    "primes": lambda p: sexagesimal(p, "ʰᵐˢ°′″"),
    "blanks": lambda p: sexagesimal(p, "      "),
    "dash": lambda p: sexagesimal(p, ":: :: ").replace("-", "–"),
    "hours": lambda p: f"{p.ra.deg / 15:.10f}h {p.dec.deg:+.9f}d",
    "name": name,
    "B1950": lambda p: in_frame(p, "fk4", "B1950 {ra:.9f} {dec:+.9f}"),
    "galactic": lambda p: in_frame(p, "galactic", "{ra:.9f} {dec:+.9f} galactic"),
}
TWO_CELLS = ("degrees", "letters", "signs", "minus", "colons", "primes", "blanks", "dash", "hours")


def split(text: str) -> tuple[str, str]:
    """Give the two halves as the cells of a table."""
    words = text.split()
    half = len(words) // 2
    return " ".join(words[:half]), " ".join(words[half:])


@pytest.mark.parametrize("notation", NOTATIONS)
@given(position=anywhere)
@settings(deadline=None)
def test_every_notation_leads_back(notation, position):
    text = NOTATIONS[notation](position)
    try:
        found = parse_position(text)
    except PositionError:
        rounded = position.ra.deg > 359.9999  # written as the full circle
        assert rounded or (notation == "B1950" and "360.0" in text), text
        return
    assert found.separation(position) < 2e-5 * u.arcsec, text


@pytest.mark.parametrize("notation", TWO_CELLS)
@given(position=anywhere)
@settings(deadline=None, max_examples=30)
def test_a_table_reads_what_a_query_reads(notation, position):
    ra, dec = split(NOTATIONS[notation](position))
    expected = parse_position(NOTATIONS[notation](position))
    for held in (
        Table({"ra": [ra], "dec": [dec]}),
        pa.table({"RAJ2000": [ra], "DEJ2000": [dec]}),
    ):
        found = positions_in(read_catalogue(held))[0]
        assert found.separation(expected) < 1e-9 * u.arcsec
    assert parse_position({"ra": ra, "dec": dec}).separation(expected) < 1e-9 * u.arcsec
    assert parse_position((ra, dec)).separation(expected) < 1e-9 * u.arcsec


@pytest.mark.parametrize("notation", NOTATIONS)
@given(position=anywhere, at=st.integers(0, 60), letter=st.sampled_from(",xq*/|?!&_(NSW"))
@settings(deadline=None, max_examples=60)
def test_what_is_left_over_is_never_passed_over(notation, position, at, letter):
    text = NOTATIONS[notation](position)
    odd = text[:at] + letter + text[at:]
    if notation == "name" and at <= text.index("J"):
        return  # whatever a catalogue calls itself
    try:
        found = parse_position(odd)
    except PositionError:
        return
    assert found.separation(position) < 1e-3 * u.arcsec, odd


@given(position=anywhere, digits=st.integers(0, 6))
@settings(deadline=None)
def test_decimal_commas_are_refused(position, digits):
    for text in (
        pair(position, f"{{ra:.{digits}f}} {{dec:+.{digits}f}}").replace(".", ","),
        sexagesimal(position, ":: :: ").replace(".", ","),
        sexagesimal(position, "      ").replace(".", ","),
    ):
        if "," in text:
            with pytest.raises(PositionError, match="decimal"):
                parse_position(text)


@pytest.mark.parametrize(
    "text",
    [
        *("206,42", "206,42 23", "206,42 23.38", "13:45:41,2 +23:22:53", "13 45,5 23 22"),
        *("206.42 23.38N", "206.42 23.38 J2000 B1950", "20 42 -5", "206.42 —23.38"),
        *("13h45m41s 23.38h", "galactic 13:45:41 +23:22:53", "B1950 J2000 1 2", "1e5 2"),
        *("206.42.1 23.38", "13:45.5:41 +23:22:53", "13::41 +23:22:53"),
    ],
)
def test_what_may_mean_two_things_is_refused(text):
    with pytest.raises(PositionError):
        parse_position(text)


def table(**columns):
    units = {name: columns.pop(name) for name in list(columns) if name.endswith("_unit")}
    meta = columns.pop("meta", {})
    made = Table({name: [one] for name, one in columns.items()}, meta=meta)
    for name, unit in units.items():
        made[name.removesuffix("_unit")].unit = unit
    return made


FK4 = SkyCoord(206.42, 23.38, unit="deg", frame="fk4").icrs
ICRS = SkyCoord(206.42, 23.38, unit="deg")


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (table(ra="206.42", dec="23.38"), ICRS),
        (table(ra="13:45:40.8", dec="+23:22:48"), ICRS),
        (table(ra=206.42 / 15, dec=23.38, ra_unit="hourangle"), ICRS),
        (table(ra=str(206.42 / 15), dec="23.38", ra_unit="hourangle"), ICRS),
        (table(ra=math.radians(206.42), dec=23.38 * 60, ra_unit="rad", dec_unit="arcmin"), ICRS),
        (table(ra=206.42, dec=23.38, meta={"EQUINOX": 1950.0}), FK4),
        (table(ra=206.42, dec=23.38, meta={"equinox": "1950.0"}), FK4),
        (table(ra=206.42, dec=23.38, meta={"EQUINOX": "B1950"}), FK4),
        (table(ra=206.42, dec=23.38, meta={"RADESYS": "FK4"}), FK4),
        (table(ra=206.42, dec=23.38, meta={"frame": "fk4"}), FK4),
        (table(ra=206.42, dec=23.38, meta={"FRAME": "TOPOCENT", "EQUINOX": 2000.0}), ICRS),
        (table(ra=206.42, dec=23.38, meta={"coord_frame": "fk4"}), FK4),
        (table(ra=206.42, dec=23.38, meta={"COOSYS": "B1950"}), FK4),
        (table(ra=206.42, dec=23.38, meta={"EPOCH": 2000.0}), ICRS),
        (table(ra=206.42, dec=23.38, epoch=1953.1), ICRS),  # of a plate
        (table(RA_ICRS=206.42, DE_ICRS=23.38, meta={"EQUINOX": 1950.0}), ICRS),
        (table(ra=206.42, dec=23.38, equinox="B1950"), FK4),
        (table(ra=206.42, dec=23.38, equinox=1950.0), FK4),
        (table(ra_b1950=206.42, dec_b1950=23.38), FK4),
        (table(raj2000=206.42, dej2000=23.38, meta={"EQUINOX": 1950.0}), ICRS),
        (table(l=ICRS.galactic.l.deg, b=ICRS.galactic.b.deg), ICRS),
        (table(GLON=ICRS.galactic.l.deg, GLAT=ICRS.galactic.b.deg), ICRS),
        (table(ra=206.42, dec=23.38, l=1.0, b=2.0), ICRS),
    ],
    ids=range(23),
)
def test_stated_units_and_frames_are_honoured(held, expected):
    found = positions_in(read_catalogue(held))
    assert found[0].separation(expected) < 1e-6 * u.arcsec
    assert parse_position(held[0]).separation(expected) < 1e-6 * u.arcsec


@pytest.mark.parametrize(
    ("held", "message"),
    [
        (table(ra=206.42, dec=23.38, ra_unit="pixel"), "column ra is in pix"),
        (table(ra="13:45:41", dec="23:22:53", ra_unit="deg"), "where degrees are stated"),
        (table(ra=206.42, dec=23.38, meta={"EQUINOX": "soon"}), "equinox 'soon' is not understood"),
        (table(ra=206.42, dec=23.38, meta={"RADESYS": "GAPPT"}), "frame 'GAPPT' is not understood"),
        (table(ra=206.42, dec=23.38, meta={"RADESYS": "ICRS", "EQUINOX": 1950}), "not understood"),
        (
            table(ra=206.42, dec=23.38, meta={"COORDSYS": "ecliptic"}),
            "'ecliptic' is not understood",
        ),
        (table(ra=206.42, dec=23.38, meta={"EPOCH": 1950.0}), "epoch is 1950.0.*called equinox"),
        (table(ra=206.42, dec=23.38, epoch="B1950"), "epoch is B1950.*called equinox"),
        (table(ra=206.42, dec=23.38, RA="13:45:41"), "columns ra and RA differ in capitals alone"),
        (table(ra="206,42", dec="23,38"), "row 1, column ra: .*a point for decimals, not a comma"),
        (table(ra="206.42", dec="23.38N"), "row 1, column dec: .*'23.38N' is no angle"),
        (table(ra=-3.0, dec=23.38), "row 1, column ra: .*right ascension runs from 0"),
        (table(ra=206.42), "has ra but no dec column"),
    ],
    ids=range(13),
)
def test_what_is_stated_and_not_understood_is_refused(held, message):
    with pytest.raises(DataError, match=message):
        positions_in(read_catalogue(held))


@pytest.mark.parametrize("ending", ["csv", "ecsv", "fits", "vot"])
def test_a_frame_that_only_remarks_speak_of_is_asked_for(tmp_path, ending):
    path = tmp_path / f"t.{ending}"
    held = Table({"ra": [1.0], "dec": [2.0]}, meta={"comments": ["positions are B1950"]})
    if ending == "csv":
        path.write_text("# positions are B1950\nra,dec\n1,2\n")
    elif ending == "vot":
        held["ra"].description = "right ascension (B1950)"
        write_table(held, path, "votable")
    else:
        held.write(path)
    with pytest.raises(DataError, match="a remark speaks of B1950; say what holds in a column"):
        positions_in(read_catalogue(path))
    (tmp_path / "t.csv").write_text("# brought from B1950 to J2000\nra,dec\n1,2\n")
    assert positions_in(read_catalogue(tmp_path / "t.csv"))[0].ra.deg == 1


@pytest.mark.parametrize("remark", ["Equinox: 1950.0", "coordinates are 1950", "FK4 catalogue"])
def test_a_year_in_a_remark_is_asked_about_where_it_speaks_of_positions(tmp_path, remark):
    path = tmp_path / "t.csv"
    path.write_text(f"# {remark}\nra,dec\n1,2\n")
    with pytest.raises(DataError, match="a remark speaks of"):
        positions_in(read_catalogue(path))
    path.write_text("# observed in 1950\nra,dec\n1,2\n")
    assert positions_in(read_catalogue(path))[0].ra.deg == 1


def test_hours_that_only_a_remark_speaks_of_are_asked_for(tmp_path):
    path = tmp_path / "t.csv"
    for cells, is_read in (("13.76,2", False), ("206.42,2", True), ("13h45m36s,2", True)):
        path.write_text(f"# RA in hours\nra,dec\n{cells}\n")
        if is_read:
            assert positions_in(read_catalogue(path))[0].ra.deg > 200
        else:
            with pytest.raises(DataError, match="a remark says that ra is in hours"):
                positions_in(read_catalogue(path))
    held = table(ra=13.76, dec=2.0)
    held["ra"].description = "right ascension, hours"
    with pytest.raises(DataError, match="a remark says that ra is in hours"):
        positions_in(read_catalogue(held))


def test_two_systems_of_a_votable_that_no_column_names_are_refused(tmp_path):
    path = tmp_path / "t.vot"
    write_table(Table({"ra": [20.0], "dec": [23.38]}), path, "votable")
    both = '<COOSYS ID="s" system="eq_FK4" equinox="B1950"/><COOSYS ID="t" system="ICRS"/>'
    path.write_text(path.read_text().replace("<TABLE", f"{both}\n<TABLE", 1))
    with pytest.raises(DataError, match="'ICRS and eq_FK4' is not understood"):
        positions_in(read_catalogue(path))


def test_rows_of_two_frames_are_refused():
    held = Table({"ra": [1.0, 2.0], "dec": [1.0, 2.0], "equinox": ["B1950", "J2000"]})
    with pytest.raises(DataError, match="states B1950 and J2000; give a table per frame"):
        positions_in(read_catalogue(held))


@pytest.mark.parametrize("refers", [True, False])
@pytest.mark.parametrize(
    ("system", "frame"),
    [
        ('system="eq_FK4" equinox="B1950"', "fk4"),
        ('system="eq_FK5" equinox="J2000"', "fk5"),
        ('system="galactic"', "galactic"),
    ],
)
def test_the_frame_of_a_votable_is_honoured(tmp_path, refers, system, frame):
    path = tmp_path / "t.vot"
    write_table(Table({"name": ["A"], "ra": [20.0], "dec": [23.38]}), path, "votable")
    text = path.read_text().replace("<TABLE", f'<COOSYS ID="s" {system}/>\n<TABLE', 1)
    if refers:
        for one in ("ra", "dec"):
            text = text.replace(f'<FIELD ID="{one}"', f'<FIELD ref="s" ID="{one}"')
    path.write_text(text)
    expected = SkyCoord(20.0, 23.38, unit="deg", frame=frame).icrs
    assert read_sources(path).positions[0].separation(expected) < 1e-6 * u.arcsec


def test_decimal_numbers_of_a_database_are_degrees():
    from decimal import Decimal

    held = pa.table({"ra": [Decimal("206.42")], "dec": [Decimal("-23.38")]})
    found = positions_in(read_catalogue(held))
    assert found[0].ra.deg == 206.42
    assert found[0].dec.deg == -23.38


def test_a_gap_in_the_middle_is_no_position():
    held = pa.table({"ra": [1.0, None, 3.0], "dec": ["1", "2", "n/a"]})
    found = positions_in(read_catalogue(held))
    assert np.isfinite(found.ra.deg).tolist() == [True, False, False]
