"""A position, a survey and an angle give a picture of that place; files keep it whole."""

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sky.fake_services import FakeServices, peak_at
from skylobe.cli import main
from skylobe.core.errors import ConfigError, NoPixelsError, OutsideFootprintError, PositionError
from skylobe.images.files import read_image
from skylobe.sky import fetching
from skylobe.sky.cutout import Cutout
from skylobe.sky.services import http
from skylobe.sky.services.answers import Field, read_answer
from skylobe.sky.surveys.nrao import FIRST, NVSS

HERE = SkyCoord(206.42, 23.38, unit="deg")
everywhere = st.builds(
    lambda ra, dec: SkyCoord(ra, dec, unit="deg"),
    st.one_of(st.floats(0, 359.9999), st.sampled_from([0.0, 1e-9, 359.999999999])),
    st.one_of(st.floats(-90, 90), st.sampled_from([-90.0, 90.0, 0.0, -0.5, 89.99999])),
)


def empty(position: SkyCoord, width: int = 150, scale: float = 1.8, height: int = 0) -> Cutout:
    return Cutout(np.zeros((height or width, width), np.float32), position, scale)


@given(
    position=everywhere,
    width=st.integers(2, 400),
    scale=st.floats(0.5, 15),
    at=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
@settings(max_examples=200, deadline=None)
def test_sky_to_pixel_to_sky_closes_everywhere(
    position: SkyCoord, width: int, scale: float, at: tuple[float, float]
):
    wcs = empty(position, width, scale).wcs
    pixel = np.array(at) * (width - 1)
    sky = wcs.pixel_to_world(*pixel)
    assert np.hypot(*(np.array(wcs.world_to_pixel(sky)) - pixel)) < 0.1
    back = wcs.pixel_to_world(*wcs.world_to_pixel(sky))
    assert back.separation(sky) < 0.01 * scale * u.arcsec
    centre = wcs.pixel_to_world((width - 1) / 2, (width - 1) / 2)
    assert centre.separation(position) < 0.01 * scale * u.arcsec


@given(position=everywhere, width=st.integers(20, 200), angle=st.floats(0, 359))
@settings(max_examples=100, deadline=None)
def test_north_is_up_and_east_is_left_everywhere(position: SkyCoord, width: int, angle: float):
    if abs(position.dec.deg) > 89.999:
        return  # every direction from a pole is the same
    wcs = empty(position, width, 1.8).wcs
    there = position.directional_offset_by(angle * u.deg, 9 * u.arcsec)
    x, y = np.array(wcs.world_to_pixel(there)) - (width - 1) / 2
    assert x == pytest.approx(-5 * np.sin(np.radians(angle)), abs=0.05)
    assert y == pytest.approx(5 * np.cos(np.radians(angle)), abs=0.05)


def test_at_the_poles_right_ascension_zero_points_down_or_up():
    for dec, sign in ((90, -1), (-90, 1)):
        wcs = empty(SkyCoord(0, dec, unit="deg"), 101).wcs
        there = SkyCoord(0, dec - np.sign(dec) * 18 / 3600, unit="deg")
        x, y = np.array(wcs.world_to_pixel(there)) - 50
        assert (x, y) == pytest.approx((0, sign * 10), abs=1e-3)


def test_half_a_degree_south_of_the_equator_is_negative():
    with FakeServices() as fake:
        found = fetching.fetch(
            "00:00:00 -00:30:00", "first", 90, base_url=fake.skyview, service="skyview"
        )
        assert fake.requests[0]["Position"] == "0.00000000,-0.50000000"
    assert found.position.dec.deg == pytest.approx(-0.5)


@pytest.mark.parametrize(("survey", "service"), [("nvss", "hips2fits"), ("VLA FIRST", "skyview")])
def test_fetch_takes_the_survey_s_own_service_and_scale(survey: str, service: str):
    with FakeServices() as fake:
        found = fetching.fetch(HERE, survey, 15 * u.arcmin, base_url=fake.address(service))
        assert len(fake.requests) == 1
    assert found.pixels.shape[0] == round(900 / found.pixel_scale)
    assert found.source_id == "J134540.8+232248"
    assert found.pixels.max() == pytest.approx(peak_at(206.42, 23.38), rel=0.05)


def test_a_request_is_what_fetch_sends():
    with FakeServices() as fake:
        fetching.fetch(HERE, "nvss", 900, pixel_scale=5.0, base_url=fake.hips2fits)
        made = fetching.request(HERE, "nvss", 900, pixel_scale=5.0, base_url=fake.hips2fits)
        assert dict(made.params) == fake.requests[0]
        answer = http.send(made)
        assert read_answer(answer, Field(HERE, 180, 5.0, NVSS)).pixels.shape == (180, 180)


def test_nothing_is_sent_for_what_cannot_be():
    with FakeServices() as fake:
        where = {"base_url": fake.skyview}
        with pytest.raises(OutsideFootprintError):
            fetching.fetch("206.42 -60", "first", 270, **where)
        with pytest.raises(PositionError):
            fetching.fetch("somewhere", "first", 270, **where)
        with pytest.raises(ConfigError, match="choose one of"):
            fetching.fetch(HERE, "2mass", 270, **where)
        with pytest.raises(ConfigError, match="No service gives MeerKAT"):
            fetching.fetch(HERE, "mgcls", 270, **where)
        with pytest.raises(ConfigError, match="choose hips2fits or skyview"):
            fetching.fetch(HERE, "first", 270, service="email", **where)
        with pytest.raises(ConfigError, match="does not hold"):
            fetching.fetch(HERE, "vlass", 270, service="skyview", **where)
        for size in (0, -5, np.nan, np.inf, 1.0, 3 * u.Jy):
            with pytest.raises(ConfigError, match=r"no picture|no angle"):
                fetching.fetch(HERE, "first", size, **where)
        assert fake.requests == []


@given(
    position=everywhere,
    height=st.integers(2, 30),
    width=st.integers(2, 30),
    scale=st.floats(0.5, 20),
)
@settings(max_examples=40, deadline=None)
def test_files_keep_pixels_and_place(
    tmp_path_factory: pytest.TempPathFactory,
    position: SkyCoord,
    height: int,
    width: int,
    scale: float,
):
    path = tmp_path_factory.mktemp("files") / "one.fits"
    pixels = np.random.default_rng(0).normal(size=(height, width)).astype(np.float32)
    pixels[0, 0] = np.nan
    fetching.save(Cutout(pixels, position, scale, "nvss", "Jürgen"), path)
    back = read_image(path)
    np.testing.assert_array_equal(back.pixels, pixels)
    assert back.pixel_scale == pytest.approx(scale, rel=1e-9)
    assert back.position.separation(position) < 0.01 * scale * u.arcsec


def test_files_say_where_they_come_from(tmp_path: Path):
    path = fetching.save(
        Cutout(np.ones((4, 4), np.float32), HERE, 1.8, "first", "S1"),
        tmp_path / "one.fits",
        origin="https://skyview.example",
    )
    header = fits.getheader(path)
    assert header["BUNIT"] == "Jy/beam"
    assert (header["OBJECT"], header["SURVEY"]) == ("S1", "first")
    assert header["CREATOR"].startswith("skylobe ")
    assert "Becker" in str(header["HISTORY"])
    assert "skyview.example" in str(header["HISTORY"])
    assert [one.name for one in tmp_path.iterdir()] == ["one.fits"]
    assert WCS(header).wcs.ctype[0] == "RA---SIN"


def test_real_answers_of_skyview_are_accepted(mirror: Path):
    good = blank = 0
    for path in sorted((mirror / "mirabest" / "fits_sample").glob("*.fits")):
        header = fits.getheader(path)
        there = SkyCoord(header["CRVAL1"], header["CRVAL2"], unit="deg", frame="fk5")
        try:
            found = read_answer(path.read_bytes(), Field(there, 300, 1.8, FIRST))
        except NoPixelsError:
            blank += 1
            continue
        good += 1
        assert found.pixel_scale == 1.8
        np.testing.assert_array_equal(found.pixels, fits.getdata(path))
        assert found.position.separation(there) < 0.01 * u.arcsec
        more = SkyCoord(there.ra + 0.0004 * u.deg, there.dec, frame="fk5")  # lost in six digits
        if there.ra.deg >= 100:
            read_answer(path.read_bytes(), Field(more, 300, 1.8, FIRST))
    assert good >= 30
    assert blank >= 1


def test_the_commands_print_and_write(
    mirror: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main.main(["surveys"]) == 0
    text = capsys.readouterr().out
    assert "CDS/P/NVSS" in text
    assert "Becker" in text
    fields = tmp_path / "fields"
    fields.mkdir()
    field = next((mirror / "frdeep" / "FIRST").glob("*.fz"))
    (fields / "one.fits.fz").write_bytes(field.read_bytes())
    header = fits.getheader(field, 1)
    position = f"{header['CRVAL1']} {header['CRVAL2']}"
    out = tmp_path / "one.fits"
    command = ["cutout", position, "--survey", "first", "--size", "180", "--out", str(out)]
    command += ["--mosaics", str(fields), "--preview", str(tmp_path / "one.png")]
    assert main.main(command) == 0
    assert "100×100 pixels" in capsys.readouterr().out
    assert read_image(out).pixels.shape == (100, 100)
    with Image.open(tmp_path / "one.png") as shown:
        assert min(shown.size) > 500
    assert main.main(["cutout", "206.42 -60"]) == OutsideFootprintError.exit_code
    assert "does not reach" in capsys.readouterr().err
