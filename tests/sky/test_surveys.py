"""The table of surveys is complete and consistent; footprints hold what was observed, and not the rest."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits

from skylobe.core.errors import ConfigError, MissingExtraError, OutsideFootprintError
from skylobe.sky import footprints
from skylobe.sky.surveys import SURVEYS, get
from skylobe.sky.surveys.meerkat import MIGHTEE
from skylobe.sky.surveys.nrao import FIRST, NVSS
from skylobe.sky.surveys.others import LOTSS, SUMSS, TGSS


def test_every_row_is_complete():
    for name, survey in SURVEYS.items():
        assert survey.name == name
        assert set(survey.sources) == {"imaging", "pixel_scale", "outline", "service"}
        assert all(survey.sources.values())
        assert survey.unit == "Jy/beam"
        assert 100 < survey.frequency < 5000
        assert 1 <= survey.pixel_scale < survey.beam < 60
        assert survey.outline
        assert survey.citation
        assert survey.acknowledgement
        assert survey.hips is None or survey.hips.count("/") >= 2  # exact, not a keyword
    assert {one.split("-")[0] for one in SURVEYS} == {
        *("first", "nvss", "vlass", "racs", "lotss", "tgss", "emu", "mightee", "mgcls", "sumss")
    }


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("first", "first"),
        ("FIRST", "first"),
        ("VLA FIRST", "first"),
        ("vla-first", "first"),
        ("RACS_mid", "racs-mid"),
        ("racs low", "racs-low"),
        ("LoTSS DR2", "lotss"),
        ("TGSS ADR1", "tgss"),
        ("MeerKAT MIGHTEE", "mightee"),
    ],
)
def test_names_are_read_with_good_will(typed: str, name: str):
    assert get(typed).name == name


@pytest.mark.parametrize("typed", ["", "racs", "2mass", "firstnvss"])
def test_unknown_names_list_the_known(typed: str):
    with pytest.raises(ConfigError, match="choose one of first, nvss"):
        get(typed)


def test_first_holds_every_source_known_in_it(mirror: Path):
    table = pyarrow.parquet.read_table(mirror / "rgz" / "rgz_dr1_positions.parquet")
    there = SkyCoord(table["ra"].to_numpy(), table["dec"].to_numpy(), unit="deg")
    assert footprints.covers(FIRST, there).mean() >= 0.999
    headers = [fits.getheader(one, 1) for one in (mirror / "frdeep" / "FIRST").glob("*.fz")]
    degrees = [(one["CRVAL1"], one["CRVAL2"]) for one in headers]
    there = SkyCoord(degrees, unit="deg")
    for survey in (FIRST, NVSS):
        assert footprints.covers(survey, there).all()


def test_first_s_footprint_is_what_the_tool_makes(mirror: Path):
    root = Path(__file__).parents[2]
    spec = importlib.util.spec_from_file_location("tool", root / "tools" / "first_footprint.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    shipped = root / "src" / "skylobe" / "sky" / FIRST.outline[0].name
    assert shipped.stat().st_size < 12_000
    assert shipped.read_text().split() == tool.footprint().split()


def test_without_mocpy_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch):
    footprints.footprint.cache_clear()
    monkeypatch.setitem(sys.modules, "mocpy", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'skylobe\[sky\]'"):
        footprints.covers(NVSS, SkyCoord(0, 0, unit="deg"))


def test_first_is_not_everywhere():
    assert 10_500 < footprints.footprint(FIRST).sky_fraction * 41_253 < 11_500  # degrees²
    nowhere = SkyCoord([200, 290, 10, 0], [-60, 15, -30, 85], unit="deg")
    assert not footprints.covers(FIRST, nowhere).any()


@pytest.mark.parametrize(
    ("survey", "inside", "outside"),
    [
        (NVSS, (10, -40.2), (10, -45)),
        (SUMSS, (10, -30.1), (10, -20)),
        (TGSS, (10, -53.0), (10, -60)),
        (LOTSS, (191, 44.5), (191, -10)),
        (LOTSS, (359.9, 28), (80, 28)),
        (MIGHTEE, (150.1, 2.2), (140, 2.2)),
    ],
)
def test_outlines(survey, inside: tuple[float, float], outside: tuple[float, float]):
    assert footprints.covers(survey, SkyCoord(*inside, unit="deg"))
    assert not footprints.covers(survey, SkyCoord(*outside, unit="deg"))
    footprints.require(survey, SkyCoord(*inside, unit="deg"))
    with pytest.raises(OutsideFootprintError, match="does not reach") as caught:
        footprints.require(survey, SkyCoord(*outside, unit="deg"))
    assert not caught.value.transient


def test_poles_and_right_ascension_zero():
    poles = SkyCoord([0, 0, 0, 359.9999999], [90, -90, 0, 0], unit="deg")
    np.testing.assert_array_equal(footprints.covers(NVSS, poles), [True, False, True, True])
    assert footprints.covers(SUMSS, SkyCoord(0, -90, unit="deg"))
    galactic = SkyCoord(0 * u.deg, 90 * u.deg, frame="galactic")
    assert footprints.covers(FIRST, galactic)
