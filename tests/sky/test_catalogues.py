import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from hypothesis import given
from hypothesis import strategies as st

from skylobe.datasets import rgz_rendered
from skylobe.sky.catalogues import first_of_each, near, remove_evaluation


def at(*pairs):
    return SkyCoord([p[0] for p in pairs], [p[1] for p in pairs], unit="deg")


@given(st.floats(0, 359.99), st.floats(-89.9, 89.9), st.floats(0, 360), st.floats(1, 299))
def test_removal_radius_holds_everywhere_on_the_sky(ra, dec, angle, arcsec):
    source = SkyCoord(ra, dec, unit="deg")
    moved = source.directional_offset_by(angle * u.deg, arcsec * u.arcsec)
    kept = remove_evaluation(at((moved.ra.deg, moved.dec.deg)), at((ra, dec)))
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


def test_no_corpus_field_shows_an_evaluated_source(mirror, first_set):
    """The rendered corpus against every set that models are evaluated on."""
    _, positions = rgz_rendered.select_sources(mirror)
    evaluated = rgz_rendered.evaluated_positions(mirror)
    _, separation, _ = positions.match_to_catalog_sky(evaluated)
    assert separation.min() > 150 * u.arcsec
    assert len(positions) > 45_000
