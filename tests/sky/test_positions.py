"""Any way of writing a position gives the same position; what is none is refused in one sentence."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord, name_resolve
from astropy.table import QTable, Table
from astropy.utils import data
from hypothesis import given
from hypothesis import strategies as st

from skylobe.core.errors import PositionError, ServiceDownError, ServiceTimeoutError
from skylobe.sky.fetching import name_of
from skylobe.sky.positions import parse_position

HERE = SkyCoord("13h45m41.2s -00d30m00s")
anywhere = st.builds(
    lambda ra, dec: SkyCoord(ra, dec, unit="deg"),
    st.floats(0, 360, exclude_max=True),
    st.one_of(st.floats(-90, 90), st.floats(-1, 0)),
)


@pytest.mark.parametrize(
    "written",
    [
        "206.4216666667 -0.5",
        "206.4216666667,-0.5",
        "206.4216666667, -0.5",
        "206.4216666667 −0.5",
        "206.4216666667d -0.5d",
        (206.4216666667, -0.5),
        [206.4216666667, -0.5],
        np.array([206.4216666667, -0.5]),
        (206.4216666667 * u.deg, -30 * u.arcmin),
        "13:45:41.2 -00:30:00",
        "13h45m41.2s -00d30m00s",
        "13h45m41.2s, -00d30m00s",
        "13 45 41.2 -00 30 00",
        "13:45:41.2 -0:30",
        ("13:45:41.2", "-00:30:00"),
        "J134541.2-003000",
        "j134541.2-003000",
        "J134541.20-003000.0",
        "RGZJ134541.2-003000",
        "RGZ J134541.2-003000",
        "FIRST J134541.2-003000",
        "NVSS J134541.2−003000",
        HERE,
        HERE.galactic,
        HERE.fk5,
        {"ra": 206.4216666667, "dec": -0.5},
        {"RAJ2000": 206.4216666667, "DEJ2000": -0.5, "flux": 3},
        {"ra": "13:45:41.2", "dec": "-00:30:00"},
    ],
    ids=str,
)
def test_one_position_written_in_many_ways(written):
    found = parse_position(written)
    assert found.frame.name == "icrs"
    assert found.isscalar
    assert found.separation(HERE) < 0.05 * u.arcsec
    assert found.dec.deg < 0


@pytest.mark.parametrize(
    ("name", "degrees"),
    [
        ("J1345+2322", (206.25, 23 + 22 / 60)),
        ("J1345-0030", (206.25, -0.5)),
        ("J1345.5-0030.5", (206.375, -30.5 / 60)),
    ],
)
def test_short_names(name: str, degrees: tuple[float, float]):
    there = SkyCoord(*degrees, unit="deg")
    assert parse_position(name).separation(there) < 0.01 * u.arcsec


@pytest.mark.parametrize("name", ["B1343+236", "PKS B1343+23.6", "B134300+233600"])
def test_names_of_1950_precess(name: str):
    there = SkyCoord("13h43m00s +23d36m00s", frame="fk4", equinox="B1950").icrs
    assert parse_position(name).separation(there) < 0.01 * u.arcsec


def test_rows_carry_their_units():
    plain = Table({"RA": [13.7614444444] * u.hourangle, "Dec": [-0.5] * u.deg})
    quantities = QTable({"ra": [206.4216666667] * u.deg, "dec": [-30.0] * u.arcmin})
    bare = Table({"id": ["a"], "ra": [206.4216666667], "dec": [-0.5]})
    for table in (plain, quantities, bare):
        assert parse_position(table[0]).separation(HERE) < 0.01 * u.arcsec


@given(anywhere)
def test_degrees_and_sexagesimal_round_trip(position: SkyCoord):
    for text in (
        position.to_string("decimal", precision=9),
        position.to_string("hmsdms", precision=7),
        position.to_string("hmsdms", sep=":", precision=7),
        position.to_string("hmsdms", sep=" ", precision=7),
    ):
        if text.startswith(("360.0", "24")):
            continue  # rounded up to the full circle in writing
        assert parse_position(text).separation(position) < 1e-3 * u.arcsec, text


@given(anywhere)
def test_names_made_of_positions_lead_back(position: SkyCoord):
    name = name_of(position)
    if name.startswith("J24"):
        return
    assert parse_position(name).separation(position) < 1.2 * u.arcsec


@given(anywhere)
def test_galactic_positions_round_trip(position: SkyCoord):
    assert parse_position(position.galactic).separation(position) < 1e-6 * u.arcsec


@pytest.mark.parametrize(
    "written",
    [
        *("", " ", "nonsense", "M87", "1", "1 2 3", "nan nan", "inf 0", "360 0", "-1 0", "0 91"),
        *("0 -90.01", "24:00:00 +10:00:00", "13:60:00 +10:00:00", "13:45:60 +10:00:00"),
        *("13:45:41 +91:00:00", "-13:45:41 +10:00:00", "13 45 41.2 -00 -30 00"),
        *("J2545+2322", "J1345+9922", "J134541.2+12345", "J13451+2322", "206.4 23.3 foo"),
        *((1,), (1, 2, 3), None, 5, (np.nan, 1), (1 * u.m, 2 * u.m), {"a": 1}, b"1 2"),
        SkyCoord([1, 2], [1, 2], unit="deg"),
        {"ra": "north", "dec": "up"},
    ],
    ids=str,
)
def test_nonsense_is_refused_in_one_sentence(written):
    with pytest.raises(PositionError) as caught:
        parse_position(written)
    text = str(caught.value)
    assert text.endswith(".")
    assert not caught.value.transient


@given(st.text(max_size=40))
def test_any_text_gives_a_position_or_our_error(text: str):
    try:
        found = parse_position(text)
    except PositionError:
        return
    assert 0 <= found.ra.deg < 360
    assert -90 <= found.dec.deg <= 90


class Sesame(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = "3C273" in self.path.replace("%20", "")
        body = b"%J 187.2779 +2.0524 = 12:29:06.6 +02:03:08\n" if known else b"#!SIMBAD: No known\n"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_names_of_objects_are_looked_up_only_when_asked():
    server = HTTPServer(("127.0.0.1", 0), Sesame)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    try:
        with name_resolve.sesame_url.set([address]):
            found = parse_position("3C 273", resolve=True)
            assert found.separation(SkyCoord(187.2779, 2.0524, unit="deg")) < 1 * u.arcsec
            with pytest.raises(PositionError, match="knows no object 'Rumpelstilz'"):
                parse_position("Rumpelstilz", resolve=True)
    finally:
        server.shutdown()
        server.server_close()
    with name_resolve.sesame_url.set([address]), pytest.raises(ServiceDownError) as caught:
        parse_position("3C 273", resolve=True)
    assert "cannot be asked" in str(caught.value)
    assert caught.value.transient


def test_a_silent_resolver_is_not_waited_for():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with (
            name_resolve.sesame_url.set([address]),
            data.conf.set_temp("remote_timeout", 0.3),
            pytest.raises(ServiceTimeoutError, match="in time"),
        ):
            parse_position("3C 273", resolve=True)
