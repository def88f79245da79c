import numpy as np
from astropy.coordinates import SkyCoord

from skylobe.core.plotting import save
from skylobe.sky.cutout import Cutout
from skylobe.sky.pictures import BOTTOM, LEAST_TOP, picture

HERE = SkyCoord(10.0, -0.5, unit="deg")


def field():
    pixels = np.random.default_rng(0).normal(0, 1e-4, (50, 50)).astype(np.float32)
    pixels[40:44, 10:14] = 0.01  # north-east
    pixels[:2] = np.nan
    return pixels


def test_north_is_up_east_is_left_and_axes_are_angles():
    panel = picture(Cutout(field(), HERE, 1.8)).axes[0]
    (drawn,) = panel.images
    assert drawn.origin == "lower"
    assert drawn.get_extent() == [45.0, -45.0, -45.0, 45.0]
    assert panel.get_xlim()[0] > panel.get_xlim()[1], "east grows to the left"
    shown = drawn.get_array()
    assert 80 < shown.max() < 120, "in units of the noise"
    assert "arcsec" in panel.get_xlabel()
    assert "-00:30:00.0" in panel.get_title()


def test_noise_alone_is_not_stretched_into_a_source(tmp_path):
    pixels = np.random.default_rng(0).normal(0, 1e-4, (30, 30)).astype(np.float32)
    (drawn,) = picture(Cutout(pixels, HERE, 1.8)).axes[0].images
    assert (drawn.norm.vmin, drawn.norm.vmax) == (BOTTOM, LEAST_TOP)
    blank = Cutout(np.full((10, 10), np.nan, dtype=np.float32), HERE, 1.8)
    assert save(picture(blank), tmp_path / "blank.png").stat().st_size > 1000
