import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from skylobe.core.errors import ConfigError, DataError
from skylobe.images.datasets import evaluated, rgz
from skylobe.sky.corpus.exclusion import Exclusion
from skylobe.sky.corpus.selection import Selection
from skylobe.sky.sources import SourceList

ARCSEC = 1 / 3600


def a_list(sizes=(30.0, 20.0, 40.0, 50.0)):
    positions = SkyCoord([10, 20, 20 + 5 * ARCSEC, 30], [0, 0, 0, 0], unit="deg")
    return SourceList(np.array(["d", "a", "c", "b"]), positions, np.array(sizes))


def test_steps_count_what_they_take_out():
    evaluated_there = Exclusion(("mirabest",), SkyCoord([30 + 100 * ARCSEC], [0], unit="deg"))
    found = Selection.of(a_list()).larger_than(25).without_duplicates(10).without(evaluated_there)
    assert found.sources.ids.tolist() == ["c", "d"], "the smaller duplicate went before its pair"
    assert [(step.removed, step.left) for step in found.steps] == [(0, 4), (1, 3), (0, 3), (1, 2)]
    assert "150″ of mirabest" in found.steps[-1].name


def test_of_a_pair_the_later_name_goes():
    assert Selection.of(a_list()).without_duplicates(10).sources.ids.tolist() == ["a", "b", "d"]
    assert Selection.of(a_list()).without_duplicates(4).sources.ids.tolist() == list("abcd")
    nothing = Selection.of(a_list()).without(Exclusion.of_nothing())
    assert len(nothing.steps) == 1


def test_a_cut_below_the_sizes_known_is_refused():
    partly = Selection.of(a_list((np.nan, 26.0, 40.0, 50.0)))
    assert partly.larger_than(30).sources.ids.tolist() == ["b", "c"]
    assert partly.larger_than(26).sources.ids.tolist() == ["b", "c"]
    with pytest.raises(ConfigError, match="1 sources are unknown, so 20″ cannot be cut"):
        partly.larger_than(20)
    with pytest.raises(ConfigError, match="unknown"):
        Selection.of(a_list((np.nan,) * 4)).larger_than(100)


def test_the_counts_of_rgz(mirror, first_set):
    """Near-duplicates and evaluated sources among all 77,430 names, as counted independently."""
    exclusion = evaluated.exclusion(("mirabest", "first_galaxies"), mirror)
    assert len(exclusion.positions) == 1256 + 2158
    found = rgz.select(exclusion, mirror, size_cut=None)
    assert [step.left for step in found.steps] == [77_430, 77_430 - 8_665, 66_516]
    everything = rgz.positions(mirror).positions
    assert (~exclusion.allows(everything)).sum() == 2_733


def test_the_counts_above_the_size_cut(mirror, first_set):
    found = rgz.select(evaluated.exclusion(root=mirror), mirror)
    assert [step.left for step in found.steps] == [77_430, 48_774, 46_691, 45_735]
    with pytest.raises(ConfigError, match="20″ cannot be cut"):
        rgz.select(Exclusion.of_nothing(), mirror, size_cut=20)
    with pytest.raises(DataError, match="no source is left"):
        rgz.select(Exclusion.of_nothing(), mirror, size_cut=1e5)


def test_unknown_sets_cannot_be_excluded():
    with pytest.raises(ConfigError, match="no evaluated set 'galaxies'"):
        evaluated.exclusion(("galaxies",))
    with pytest.raises(ConfigError, match="no evaluated set"):
        evaluated.exclusion(())
