"""Requests to the services and their answers, against a loopback server that also misbehaves."""

import threading
import time

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import center_of_mass

from sky.fake_services import FakeServices, grid, peak_at, picture
from skylobe.core.errors import (
    ConfigError,
    NonsenseError,
    NoPixelsError,
    ServiceDownError,
    ServiceTimeoutError,
    UnreachableError,
)
from skylobe.sky.cutout import sky_wcs
from skylobe.sky.services import SERVICES, Request, http
from skylobe.sky.services.answers import Field, read_answer
from skylobe.sky.surveys import SURVEYS
from skylobe.sky.surveys.meerkat import MGCLS
from skylobe.sky.surveys.nrao import FIRST, NVSS

SURVEY = {"hips2fits": NVSS, "skyview": FIRST}
HERE = SkyCoord(206.42, 23.38, unit="deg")
anywhere = st.builds(
    lambda ra, dec: SkyCoord(ra, dec, unit="deg"),
    st.one_of(st.floats(0, 359.9999), st.sampled_from([0.0, 1e-7, 359.9999999])),
    st.one_of(st.floats(-90, 90), st.sampled_from([-90.0, -0.5, 0.0, 89.9999, 90.0])),
)


def ask(fake: FakeServices, service: str, position: SkyCoord = HERE, width: int = 60, **options):
    survey = SURVEY[service]
    request = SERVICES[service].build_request(
        position, survey, width, survey.pixel_scale, base_url=fake.address(service)
    )
    answer = http.send(request, **options)
    return read_answer(answer, Field(position, width, survey.pixel_scale, survey))


@pytest.mark.parametrize("service", SERVICES)
def test_a_cutout_comes_back_as_the_service_drew_it(service: str):
    with FakeServices() as fake:
        cutout = ask(fake, service)
        assert len(fake.requests) == 1
        assert "skylobe/" in next(iter(fake.agents))
    assert cutout.pixels.dtype == np.float32
    assert cutout.pixels.dtype.isnative
    assert cutout.pixels.shape == (60, 60)
    assert cutout.pixel_scale == SURVEY[service].pixel_scale
    assert cutout.survey == SURVEY[service].name
    assert cutout.position.separation(HERE) < 1e-3 * u.arcsec
    assert cutout.pixels.max() == pytest.approx(peak_at(206.42, 23.38), rel=0.05)


@pytest.mark.parametrize("service", SERVICES)
@given(
    position=anywhere, width=st.integers(9, 40), angle=st.floats(0, 360), scale=st.floats(0.5, 20)
)
@settings(max_examples=60, deadline=None)
def test_a_source_of_the_sky_lands_where_its_position_says(
    service: str, position: SkyCoord, width: int, angle: float, scale: float
):
    survey = SURVEY[service]
    there = position.directional_offset_by(angle * u.deg, width * scale / 4 * u.arcsec)
    source = (there.ra.deg, there.dec.deg, 1e3, 3 * scale)
    request = SERVICES[service].build_request(position, survey, width, scale)
    answer = picture(dict(request.params), service, sources=[source])
    cutout = read_answer(answer, Field(position, width, scale, survey))
    x, y = cutout.wcs.world_to_pixel(there)
    row, column = np.unravel_index(cutout.pixels.argmax(), cutout.pixels.shape)
    top = max(row - 2, 0), max(column - 2, 0)
    near = cutout.pixels[top[0] : row + 3, top[1] : column + 3].astype(float)
    found = np.add(center_of_mass(near), top)
    assert np.hypot(x - column, y - row) < 0.8
    if 2 <= row < width - 2 and 2 <= column < width - 2:
        assert np.hypot(x - found[1], y - found[0]) < 0.25  # the window is cut at whole pixels


@given(position=anywhere, width=st.integers(2, 500), scale=st.floats(0.1, 60))
@settings(max_examples=100, deadline=None)
def test_requests_describe_our_own_grid(position: SkyCoord, width: int, scale: float):
    ours = sky_wcs(position, scale, (width, width)).wcs
    for name, service in SERVICES.items():
        request = service.build_request(position, SURVEY[name], width, scale)
        ra, dec, pixels, step = grid(dict(request.params), name)
        assert pixels == width
        assert step == pytest.approx(ours.cdelt[1], rel=1e-6)
        assert SkyCoord(ra, dec, unit="deg").separation(position) < 1e-4 * u.arcsec


def test_requests_can_be_looked_at_without_being_sent():
    request = SERVICES["hips2fits"].build_request(HERE, NVSS, 100, 15.0)
    assert request.url_with_params.startswith("https://alasky.cds.unistra.fr/")
    assert "CDS%2FP%2FNVSS" in request.url_with_params
    request = SERVICES["skyview"].build_request(SkyCoord(0, -0.5, unit="deg"), FIRST, 100, 1.8)
    assert request.url.startswith("https://")
    assert ("Position", "0.00000000,-0.50000000") in request.params
    for name, service in SERVICES.items():
        with pytest.raises(ConfigError, match="MeerKAT"):
            service.build_request(HERE, MGCLS, 100, 1.0)
        with pytest.raises(ConfigError, match="pixels"):
            service.build_request(HERE, SURVEY[name], 100_000, 1.0)


def test_every_survey_of_a_service_can_be_asked_for():
    for survey in SURVEYS.values():
        for name, service in SERVICES.items():
            if getattr(survey, {"hips2fits": "hips", "skyview": "skyview"}[name]):
                assert service.build_request(HERE, survey, 10, survey.pixel_scale).params


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        ("drop", ServiceDownError, "cannot be reached"),
        ("500", ServiceDownError, "status 500"),
        ("404", ServiceDownError, "refuses"),
        ("429", ServiceDownError, "in 7 seconds"),
        ("html200", NonsenseError, "down for maintenance"),
        ("empty", NonsenseError, "empty"),
        ("truncated", NonsenseError, "cut short"),
        ("short", NonsenseError, "left out the end"),
        ("chunked_short", NonsenseError, "left out the end"),
        ("wrong_size", NonsenseError, "62×62 pixels instead of 60×60"),
        ("wrong_scale", NonsenseError, "arcsec per pixel instead of"),
        ("wrong_centre", NonsenseError, "3.0 pixels from the position"),
        ("rotated", NonsenseError, "rotated"),
        ("no_wcs", NonsenseError, "where on the sky"),
        ("cube", NonsenseError, "instead of one plane"),
        ("all_nan", NoPixelsError, "no pixels there"),
        ("all_zero", NoPixelsError, "no pixels there"),
        ("half_nan", NoPixelsError, "only 40% of the pixels"),
    ],
)
@pytest.mark.parametrize("service", SERVICES)
def test_every_fault_has_its_error(service: str, fault: str, error: type[Exception], says: str):
    with FakeServices(lambda number, params: fault) as fake:
        with pytest.raises(error, match=says) as caught:
            ask(fake, service)
        assert str(caught.value).count("\n") == 0
        assert caught.value.transient == (error is not NoPixelsError and fault != "404")
        if fault == "429":
            assert caught.value.retry_after == 7.0


@pytest.mark.parametrize("how", ["chunked", "gzip"])
def test_other_ways_of_sending_give_the_same_picture(how: str):
    with FakeServices(lambda number, params: how if number else "ok") as fake:
        plain, other, again = (ask(fake, "skyview") for _ in range(3))
        assert fake.connections == 1
    np.testing.assert_array_equal(plain.pixels, other.pixels)
    np.testing.assert_array_equal(plain.pixels, again.pixels)


def test_a_date_may_say_when_to_come_back():
    when = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 60))
    with FakeServices(lambda number, params: "429", retry_after=when) as fake:
        with pytest.raises(ServiceDownError) as caught:
            ask(fake, "skyview")
        assert 50 < caught.value.retry_after <= 60
    with FakeServices(lambda number, params: "429", retry_after="soon") as fake:
        with pytest.raises(ServiceDownError) as caught:
            ask(fake, "skyview")
        assert caught.value.retry_after is None


def test_silence_ends_at_the_time_out():
    with (
        FakeServices(lambda number, params: "timeout") as fake,
        pytest.raises(ServiceTimeoutError, match=r"within 0\.3 seconds"),
    ):
        ask(fake, "hips2fits", timeout=(1, 0.3))


@pytest.mark.parametrize("fault", ["drip", "drip_body", "silent_body", "timeout"])
def test_the_whole_exchange_ends_at_the_deadline(fault: str):
    with (
        FakeServices(lambda number, params: fault) as fake,
        # not within 20: the server goes on for as long as it is let
        pytest.raises(ServiceTimeoutError, match=r"within 0\.4 seconds"),
    ):
        ask(fake, "hips2fits", timeout=(1, 20), deadline=0.4)


def test_a_deadline_kept_leaves_the_connection_usable():
    with FakeServices() as fake:
        for _ in range(3):
            ask(fake, "hips2fits", deadline=0.3)
            time.sleep(0.2)
        assert fake.connections == 1


def test_a_long_answer_is_not_read_to_its_end():
    with (
        FakeServices() as fake,
        pytest.raises(NonsenseError, match="more than 5,000 bytes"),
    ):
        ask(fake, "hips2fits", max_bytes=5000)


def test_nobody_there():
    with pytest.raises(UnreachableError, match="cannot be reached") as caught:
        http.send(Request("http://127.0.0.1:9/", ()), timeout=(0.5, 0.5))
    assert caught.value.transient


def test_a_mirrored_picture_is_turned():
    request = SERVICES["hips2fits"].build_request(HERE, NVSS, 20, 15.0)
    there = HERE.directional_offset_by(30 * u.deg, 100 * u.arcsec)
    source = (there.ra.deg, there.dec.deg, 1.0, 45.0)
    params = dict(request.params)
    plain, mirrored = (
        read_answer(picture(params, "hips2fits", fault, [source]), Field(HERE, 20, 15.0, NVSS))
        for fault in ("ok", "mirrored")
    )
    np.testing.assert_array_equal(plain.pixels, mirrored.pixels)
    assert plain.position.separation(mirrored.position) < 1e-3 * u.arcsec


def test_a_little_measured_is_enough_if_the_caller_says_so():
    request = SERVICES["hips2fits"].build_request(HERE, NVSS, 20, 15.0)
    answer = picture(dict(request.params), "hips2fits", "half_nan")
    cutout = read_answer(answer, Field(HERE, 20, 15.0, NVSS, min_finite=0.3))
    assert 0.3 < np.isfinite(cutout.pixels).mean() < 0.5


def test_connections_are_used_again_and_threads_do_not_mix():
    peaks: dict[int, bool] = {}

    def work(number: int) -> None:
        for i in range(10):
            position = SkyCoord(number * 11.0 + i, -40.0 + number, unit="deg")
            cutout = ask(fake, "hips2fits", position, width=20)
            expected = peak_at(position.ra.deg, position.dec.deg)
            peaks[100 * number + i] = abs(cutout.pixels.max() / expected - 1) < 0.1

    with FakeServices() as fake:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert fake.connections <= 8
    assert len(peaks) == 80
    assert all(peaks.values())
