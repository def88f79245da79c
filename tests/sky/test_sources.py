import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st

from skylobe.core.errors import DataError
from skylobe.core.table_writing import write_table
from skylobe.sky.corpus.exclusion import Exclusion
from skylobe.sky.matching import cross_match, first_of_each, near, near_duplicates, pairs
from skylobe.sky.sources import read_sources


def at(*pairs):
    return SkyCoord([p[0] for p in pairs], [p[1] for p in pairs], unit="deg")


@given(st.floats(0, 359.99), st.floats(-89.9, 89.9), st.floats(0, 360), st.floats(1, 299))
def test_removal_radius_holds_everywhere_on_the_sky(ra, dec, angle, arcsec):
    source = SkyCoord(ra, dec, unit="deg")
    moved = source.directional_offset_by(angle * u.deg, arcsec * u.arcsec)
    exclusion = Exclusion(("test",), at((ra, dec)))
    kept = exclusion.allows(at((moved.ra.deg, moved.dec.deg)))
    if abs(arcsec - 150) > 0.01:  # rounding on the sphere
        assert kept[0] == (arcsec > 150)


def test_unknown_positions_are_near_nothing():
    positions = at((10.0, 0.0), (np.nan, np.nan))
    assert near(positions, at((10.0, 0.0), (np.nan, 1.0)), 1 * u.arcsec).tolist() == [True, False]
    assert near(positions, at((np.nan, np.nan)), 1 * u.arcsec).tolist() == [False, False]


def test_chains_of_duplicates_keep_their_first():
    arcsec = 1 / 3600
    positions = at((1, 0), (50, 0), (1 + 8 * arcsec, 0), (1 + 16 * arcsec, 0), (50, 1))
    assert first_of_each(positions, 10 * u.arcsec).tolist() == [True, True, False, False, True]


def test_near_right_ascension_zero():
    arcsec = 1 / 3600
    assert near(at((360 - 2 * arcsec, 5.0)), at((2 * arcsec, 5.0)), 5 * u.arcsec)[0]
    assert not near(at((360 - 2 * arcsec, 5.0)), at((2 * arcsec, 5.0)), 3 * u.arcsec)[0]


def test_pairs_groups_and_matches_agree_with_separations():
    rng = np.random.default_rng(0)
    positions = SkyCoord(rng.uniform(0, 0.02, 60), rng.uniform(-0.01, 0.01, 60), unit="deg")
    radius = 10 * u.arcsec
    apart = positions[:, None].separation(positions[None])
    expected = np.argwhere(np.triu(apart <= radius, 1))
    found = pairs(positions, radius)
    assert sorted(map(tuple, found)) == sorted(map(tuple, expected))
    rows, others, separation = cross_match(positions, positions[::2], radius)
    assert (separation <= radius).all()
    np.testing.assert_array_equal(rows, np.flatnonzero((apart[:, ::2] <= radius).any(1)))
    np.testing.assert_array_equal(others, apart[rows][:, ::2].argmin(1))
    nothing = SkyCoord([], [], unit="deg")
    assert len(pairs(nothing, radius)) == len(cross_match(nothing, positions, radius)[0]) == 0
    assert len(cross_match(positions, nothing, radius)[0]) == 0


def test_of_near_duplicates_the_later_name_is_marked_in_any_order():
    arcsec = 1 / 3600
    names = np.array(["c", "a", "b", "d"])
    positions = at((1 + 16 * arcsec, 0), (1, 0), (1 + 8 * arcsec, 0), (50, 0))
    marked = near_duplicates(names, positions, 10 * u.arcsec)
    assert marked.tolist() == [True, False, True, False]
    order = np.array([3, 0, 2, 1])
    again = near_duplicates(names[order], positions[order], 10 * u.arcsec)
    assert again.tolist() == marked[order].tolist()


def test_sources_are_read_off_tables_of_any_names_and_units(tmp_path):
    table = Table({"RAJ2000": [1.0, 2.0], "DEJ2000": [-1.0, 3.0], "LAS": [0.5, 1.0]})
    for name in ("RAJ2000", "DEJ2000"):
        table[name].unit = "deg"
    table["LAS"].unit = "arcmin"
    write_table(table, tmp_path / "mine.vot", "votable")
    found = read_sources(tmp_path / "mine.vot")
    assert found.ids.tolist() == ["row0", "row1"]
    assert found.positions.dec.deg.tolist() == [-1.0, 3.0]
    assert found.sizes.tolist() == [30.0, 60.0]
    (tmp_path / "plain.csv").write_text("Name,ra,dec\nA,10.5,-0.5\nB,11,0\n")
    found = read_sources(tmp_path / "plain.csv")
    assert found.ids.tolist() == ["A", "B"]
    assert np.isnan(found.sizes).all()
    (tmp_path / "text.csv").write_text("id,ra,dec\nA,13:45:41.2,-00:30:00\n")
    found = read_sources(tmp_path / "text.csv")
    assert found.positions.ra.deg[0] == pytest.approx(206.42166667)
    assert found.positions.dec.deg[0] == -0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,ra\nA,1\n", "no dec column; name one dec"),
        ("name,ra,dec\nA,one,two\n", "row 1, column ra: cannot be read as an angle, 'one'"),
        (
            "name,ra,dec\nA,1,95\n",
            "row 1, column dec: .* declination runs from −90° to .90°, and this is 95°",
        ),
        ("name,ra,dec\nA,1,5\nB,,7\n", "row 2 has no position"),
    ],
)
def test_tables_without_usable_positions_are_refused(tmp_path, text, message):
    (tmp_path / "mine.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_sources(tmp_path / "mine.csv")


@pytest.mark.parametrize("width", [1, 200, 400])
def test_a_votable_row_of_any_length_is_written(tmp_path, monkeypatch, width):
    """Compiled code of astropy would write a byte beyond its buffer where a row just fills it."""
    monkeypatch.setattr("astropy.io.votable.tree.tablewriter", None)  # must not be reached
    path = tmp_path / "one.vot"
    write_table(Table({"name": ["x" * width, "y"], "flux": [1.5, np.nan]}), path, "votable")
    found = Table.read(path, format="votable")
    assert [str(one) for one in found["name"]] == ["x" * width, "y"]
    np.testing.assert_array_equal(np.ma.filled(found["flux"], np.nan), [1.5, np.nan])
