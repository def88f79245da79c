"""Units as headers write them: what they are worth by hand, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skylobe.core.errors import DataError
from skylobe.sky.brightness import to_jansky_per_beam

WORTH = {
    "Jy/beam": 1.0,
    "JY/BEAM": 1.0,
    "jy/bm": 1.0,
    "Jy beam-1": 1.0,
    "Jy beam^-1": 1.0,
    "Jy beam**-1": 1.0,
    "Jy beam**(-1)": 1.0,
    "Jy per beam": 1.0,
    "Jansky/beam": 1.0,
    "Jy": 1.0,
    "mJy/beam": 1e-3,
    "mjy/beam": 1e-3,
    " mJy / beam ": 1e-3,
    "milliJy/beam": 1e-3,
    "mJy": 1e-3,
    "uJy/beam": 1e-6,
    "UJY/BEAM": 1e-6,
    "µJy/beam": 1e-6,  # the micro sign
    "μJy/beam": 1e-6,  # the Greek letter
    "microJy/beam": 1e-6,
    "nJy/beam": 1e-9,
    "kJy/beam": 1e3,
    "10**-3 Jy/beam": 1e-3,
    "10^-6 Jy/beam": 1e-6,
    "1e-3 Jy/beam": 1e-3,
    "0.001 Jy/beam": 1e-3,
}


@pytest.mark.parametrize(("unit", "worth"), WORTH.items())
def test_a_unit_is_worth_what_it_says(unit: str, worth: float):
    assert to_jansky_per_beam(unit, "a.fits") == pytest.approx(worth, rel=1e-12)


@pytest.mark.parametrize(
    "unit",
    ["K", "Jy/pixel", "Jy/sr", "MJy/sr", "MJy/beam", "MJY/BEAM", "counts", "adu", "beam", "1", "Jy/beamx",
     "mmJy/beam", "Jy/beam/Hz", "Jy/beam km/s", "", "weight", "W/m2"],
)  # fmt: skip
def test_another_unit_is_refused_by_name(unit: str):
    with pytest.raises(
        DataError, match=r"^a\.fits: its unit .*is not Jy/beam.*correct BUNIT"
    ) as caught:
        to_jansky_per_beam(unit, "a.fits")
    assert str(caught.value).count(". ") == 0


@given(st.text(max_size=12), st.sampled_from(["", "mJy/beam", "Jy"]))
def test_no_text_is_read_in_part(text: str, around: str):
    """Whatever stands beside a unit either belongs to it or has it refused."""
    try:
        factor = to_jansky_per_beam(text + around, "a.fits")
    except DataError:
        return
    assert factor > 0 or text.strip("0 .*e+-") == ""
    assert "jy" in (text + around).lower() or "jansky" in (text + around).lower()
