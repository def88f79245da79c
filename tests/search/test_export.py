"""What is written is read back equal: units, NaN, odd names; and other programs get it."""

import time

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import QTable, Table
from hypothesis import given, settings
from hypothesis import strategies as st
from mocpy import MOC
from pyvo.samp import SAMPHubServer, SAMPIntegratedClient
from regions import Regions

from skylobe.core.entries import MISSING
from skylobe.core.errors import ConfigError, DataError, UnavailableError
from skylobe.core.table_formats import FORMATS
from skylobe.core.tables import read_catalogue
from skylobe.search import export
from skylobe.search.samp import Samp

NAMES = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=12
)
NAMES = NAMES.filter(lambda one: one.lower() not in MISSING)  # these words are no names
NUMBERS = st.floats(-1e6, 1e6) | st.just(float("nan"))


@st.composite
def tables(draw):
    """Sources with whatever names and numbers."""
    n = draw(st.integers(1, 6))
    known = [draw(st.booleans()) for _ in range(n)]
    ra = [draw(st.floats(0, 359.9)) if one else np.nan for one in known]
    dec = [draw(st.floats(-90, 90)) if one else np.nan for one in known]
    return QTable(
        {
            "rank": np.arange(1, n + 1),
            "id": np.array([draw(NAMES) for _ in range(n)]),
            "similarity": np.array([draw(NUMBERS) for _ in range(n)]),
            "ra": np.array(ra) * u.deg,
            "dec": np.array(dec) * u.deg,
            "size_arcsec": np.array([draw(NUMBERS) for _ in range(n)]) * u.arcsec,
            "label": np.array([draw(st.sampled_from(["FRI", "", "Bent"])) for _ in range(n)]),
            "seen": np.array([draw(st.booleans()) for _ in range(n)]),
        },
        meta={"query": draw(NAMES), "unusual": 0.5},
    )


@pytest.mark.parametrize("ending", FORMATS)
@given(table=tables())
@settings(deadline=None, max_examples=25)
def test_tables_come_back_equal(tmp_path_factory, ending, table):
    path = export.write(tmp_path_factory.mktemp("out") / f"t{ending}", table)
    again = read_catalogue(path).to_table()
    assert again.colnames == table.colnames
    for name in table.colnames:
        assert getattr(again[name], "unit", None) == getattr(table[name], "unit", None), name
        one, two = (np.asarray(getattr(t[name], "value", t[name])) for t in (table, again))
        assert one.dtype.kind == two.dtype.kind, name
        np.testing.assert_array_equal(one, two, err_msg=name)


@given(table=tables())
@settings(deadline=None, max_examples=25)
def test_regions_and_footprint_hold_every_position(tmp_path_factory, table):
    folder = tmp_path_factory.mktemp("out")
    known = np.isfinite(table["ra"])
    if not known.any():
        with pytest.raises(DataError, match="has a position"):
            export.write(folder / "t.reg", table)
        return
    regions = Regions.read(export.write(folder / "t.reg", table), format="ds9")
    places = SkyCoord(table["ra"][known], table["dec"][known])
    assert len(regions) == known.sum()
    apart = [one.center.separation(two).arcsec for one, two in zip(regions, places, strict=True)]
    assert max(apart) < 1e-3
    assert min(one.radius.to_value(u.arcsec) for one in regions) >= 9.99
    moc = MOC.load(export.write(folder / "t.moc.fits", table), format="fits")
    assert moc.contains_skycoords(places).all()
    assert moc.sky_fraction < 1e-4


def test_other_readers_find_units(tmp_path):
    table = QTable({"id": np.array(["a"]), "ra": [1.0] * u.deg, "size_arcsec": [2.0] * u.arcsec})
    for ending in (".fits", ".vot", ".ecsv"):
        found = Table.read(export.write(tmp_path / f"t{ending}", table))
        assert str(found["ra"].unit) == "deg"
        assert str(found["size_arcsec"].unit) == "arcsec"


def test_what_cannot_be_written_or_read_is_said(tmp_path):
    table = QTable({"id": np.array(["a"])})
    with pytest.raises(ConfigError, match=r"unknown ending; use one of \.fits"):
        export.write(tmp_path / "t.docx", table)
    with pytest.raises(DataError, match="no ra and dec"):
        export.write(tmp_path / "t.reg", table)
    (tmp_path / "t.fits").write_text("no")
    with pytest.raises(DataError, match="not FITS"):
        read_catalogue(tmp_path / "t.fits").to_table()
    assert [one.name for one in tmp_path.iterdir()] == ["t.fits"]


@pytest.fixture
def hub(tmp_path):
    server = SAMPHubServer(
        web_profile=False, addr="127.0.0.1", lockfile=str(tmp_path / "samp"), mode="multiple"
    )
    server.start()
    yield server
    server.stop()


def test_a_table_arrives_in_another_program_and_a_chosen_row_comes_back(hub):
    topcat = SAMPIntegratedClient("topcat", addr="127.0.0.1")
    topcat.connect(hub=hub)
    arrived = []
    topcat.bind_receive_notification(
        "table.load.votable", lambda key, sender, kind, content, extra: arrived.append(content)
    )
    table = QTable({"id": np.array(["a", "b", "c"]), "ra": [1.0, np.nan, 3] * u.deg})
    try:
        with Samp(hub) as samp:
            assert samp.send(table, "kin") == 1
            until = time.monotonic() + 10
            while not arrived and time.monotonic() < until:
                time.sleep(0.02)
            assert arrived[0]["name"] == "kin"
            found = Table.read(arrived[0]["url"].removeprefix("file://"), format="votable")
            assert found["id"].tolist() == ["a", "b", "c"]
            assert found["ra"].unit == u.deg
            for other, row in (("another table", "0"), (arrived[0]["table-id"], "2")):
                content = {"table-id": other, "row": row}
                topcat.notify_all({"samp.mtype": "table.highlight.row", "samp.params": content})
            assert samp.chosen(10).tolist() == [2]
            content = {"table-id": arrived[0]["table-id"], "row-list": ["0", "1"]}
            topcat.notify_all({"samp.mtype": "table.select.rowList", "samp.params": content})
            assert samp.chosen(10).tolist() == [0, 1]
    finally:
        topcat.disconnect()


def test_without_a_hub_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("SAMP_HUB", f"std-lockurl:file://{tmp_path}/none")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(UnavailableError, match="start TOPCAT or Aladin"), Samp():
        pass
