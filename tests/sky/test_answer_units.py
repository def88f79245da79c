"""What a service's answer says of its unit and beam counts; what it leaves out is the survey's."""

import io

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

from skylobe.core.errors import NonsenseError
from skylobe.sky.beam import Beam
from skylobe.sky.cutout import Cutout, sky_wcs
from skylobe.sky.services.answers import Field, read_answer
from skylobe.sky.surveys.nrao import FIRST

HERE = SkyCoord(206.42, 23.38, unit="deg")
PIXELS = np.random.default_rng(0).normal(0, 1, (20, 20)).astype(np.float32)


def answered(**cards: object) -> Cutout:
    header = sky_wcs(HERE, 1.8, PIXELS.shape).to_header()
    header.update(cards)
    file = io.BytesIO()
    fits.PrimaryHDU(PIXELS, header).writeto(file)
    return read_answer(file.getvalue(), Field(HERE, 20, 1.8, FIRST))


@pytest.mark.parametrize(
    ("cards", "factor"), [({}, 1), ({"BUNIT": "JY/BEAM"}, 1), ({"BUNIT": "mJy/beam"}, 1e-3)]
)
def test_pixels_are_brought_to_jansky(cards: dict[str, str], factor: float):
    np.testing.assert_allclose(answered(**cards).pixels, PIXELS * factor, rtol=1e-6)


def test_another_unit_is_no_cut_out():
    with pytest.raises(NonsenseError, match="its unit 'K' is not Jy/beam"):
        answered(BUNIT="K")


def test_the_beam_comes_along():
    assert answered().beam is None
    assert answered(BMAJ=0.0015).beam == Beam(5.4, 5.4)
