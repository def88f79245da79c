"""What headers say of place, scale, orientation, kind and beam: beside what the picture was drawn from."""

import io
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st

from skylobe.core.errors import DataError
from skylobe.images.files import ImageFile, decode
from skylobe.sky.beam import Beam
from skylobe.sky.cutout import sky_wcs
from skylobe.sky.headers import beam_of
from skylobe.sky.kinds import kind_of, stokes_of

CENTRE = SkyCoord(206.42, 23.38, unit="deg")
SIZE, SCALE = 48, 2.0


def sky(position: SkyCoord) -> np.ndarray:
    """Brightness of a lopsided double: brighter to the north, fainter to the east."""
    east, north = (one.arcsec for one in CENTRE.spherical_offsets_to(position))
    bright = np.exp(-((east - 4) ** 2 + (north - 18) ** 2) / 60)
    return bright + 0.5 * np.exp(-((east - 22) ** 2 + (north + 6) ** 2) / 60)


def drawn(wcs: WCS, shape: tuple[int, int]) -> np.ndarray:
    rows, columns = np.indices(shape)
    there = wcs.pixel_to_world(columns, rows)
    return sky(there.icrs).astype(np.float32)


def read(pixels: np.ndarray, header: fits.Header, name: str = "a.fits") -> ImageFile:
    file = io.BytesIO()
    fits.PrimaryHDU(pixels, header).writeto(file)
    file.seek(0)
    return decode(file, name)


def upright() -> np.ndarray:
    return drawn(sky_wcs(CENTRE, SCALE, (SIZE, SIZE)), (SIZE, SIZE))


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_any_way_a_picture_lies_it_comes_out_north_up_and_east_left(turn: int, mirrored: bool):
    angle = np.radians(90 * turn)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    wcs = sky_wcs(CENTRE, SCALE, (SIZE, SIZE))
    wcs.wcs.pc = np.rint(matrix @ np.diag([-1.0 if mirrored else 1.0, 1.0]))
    found = read(drawn(wcs, (SIZE, SIZE)), wcs.to_header())
    np.testing.assert_allclose(found.pixels, upright(), atol=1e-5)
    assert found.pixel_scale == pytest.approx(SCALE, rel=1e-9)
    assert found.position.separation(CENTRE).arcsec < 1e-3


def test_declination_along_the_rows_is_a_quarter_turn():
    wcs = sky_wcs(CENTRE, SCALE, (SIZE, SIZE))
    header = wcs.to_header()
    for key in ("CTYPE", "CRVAL", "CDELT"):
        header[f"{key}1"], header[f"{key}2"] = header[f"{key}2"], header[f"{key}1"]
    found = read(upright().T, header)
    np.testing.assert_allclose(found.pixels, upright(), atol=1e-5)


@given(st.floats(-44, 44), st.booleans())
@settings(max_examples=20, deadline=None)
def test_other_angles_stay_but_are_never_mirrored(angle: float, mirrored: bool):
    """East is left of north: the two directions on the picture turn the same way as on the sky."""
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    wcs = sky_wcs(CENTRE, SCALE, (SIZE, SIZE))
    wcs.wcs.pc = np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if mirrored else 1.0, 1.0])
    found = read(drawn(wcs, (SIZE, SIZE)), wcs.to_header()).pixels
    rows, columns = np.indices(found.shape)
    bright, faint = (np.abs(found - value) < 0.1 * value for value in (1.0, 0.5))
    bright &= found > 0.9
    at = [
        np.array([(part * rows).sum(), (part * columns).sum()]) / part.sum()
        for part in (bright, faint)
    ]
    up, left = at[0] - 23.5, at[1] - 23.5
    assert up[1] * left[0] - up[0] * left[1] > 0


def test_a_wide_rectangle_of_pixels_is_resampled_to_squares():
    wcs = sky_wcs(CENTRE, SCALE, (SIZE // 2, SIZE))
    wcs.wcs.cdelt = [-SCALE / 3600, 2 * SCALE / 3600]
    found = read(drawn(wcs, (SIZE // 2, SIZE)), wcs.to_header())
    assert found.pixel_scale == pytest.approx(SCALE)
    assert found.pixels.shape == (SIZE, SIZE)
    inner = np.s_[2:-2, 2:-2]
    np.testing.assert_allclose(found.pixels[inner], upright()[inner], atol=0.01)


def test_a_projection_that_squeezes_the_sky_is_not_square_there():
    """Plate carrée at declination 60°: a degree of right ascension is half as wide."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---CAR", "DEC--CAR"], [206.42, 0.0]
    wcs.wcs.crpix, wcs.wcs.cdelt = [20.5, 20.5 - 60 * 3600 / SCALE], [-SCALE / 3600, SCALE / 3600]
    found = read(np.random.default_rng(0).random((40, 40)).astype(np.float32), wcs.to_header())
    assert found.pixel_scale == pytest.approx(SCALE / 2, rel=1e-3)
    assert found.pixels.shape == (80, 40)


@pytest.mark.parametrize(
    "cards",
    [
        {"RESTFRQ": "1.4 GHz"},
        {"CTYPE3": "FREQ", "CUNIT3": "parsnips", "CDELT3": "x"},
        {"MJD-OBS": "yesterday"},
        {"DATE-OBS": "31/02/99", "SPECSYS": "nowhere", "VELREF": "x"},
        {"OBSGEO-X": "far"},
        {"CD3_3": "none", "PV4_1": "none"},
        {"EQUINOX": "J2000"},
        {"EQUINOX": "2000.0"},
    ],
)
def test_a_bad_card_that_places_nothing_costs_nothing(cards: dict[str, str]):
    header = sky_wcs(CENTRE, SCALE, (SIZE, SIZE)).to_header()
    header.update(cards)
    found = read(upright(), header)
    assert found.pixel_scale == pytest.approx(SCALE)
    assert found.position.separation(CENTRE).arcsec < 0.01


def test_an_equinox_of_1950_is_another_frame():
    header = sky_wcs(CENTRE, SCALE, (SIZE, SIZE)).to_header()
    del header["RADESYS"]
    header["EQUINOX"] = "B1950"
    there = SkyCoord(206.42, 23.38, unit="deg", frame="fk4").icrs
    assert read(upright(), header).position.separation(there) < 1 * u.arcsec


@pytest.mark.parametrize(
    "cards",
    [
        {"CTYPE2": "DEC--XYZ"},
        {"CDELT1": 0.0},
        {"CDELT1": "small"},
        {"CRVAL2": 123.0},
        {"EQUINOX": "long ago"},
        {"CDELT1": None, "CDELT2": None},
        {"CTYPE2": "FREQ"},
        {"CRVAL1": "13:45:41"},
        {"CRVAL2": None},
        {"CDELT1": None},
        {"RADESYS": "nowhere"},
        {"CUNIT1": "furlong"},
        {
            "CTYPE1": "RA---TPV",
            "CTYPE2": "DEC--TPV",
        },  # whose missing terms make a point of every pixel
    ],
    ids=str,
)
def test_a_place_that_is_there_and_unreadable_is_refused(cards: dict[str, object]):
    header = sky_wcs(CENTRE, SCALE, (SIZE, SIZE)).to_header()
    for key, value in cards.items():
        if value is None:
            del header[key]
        else:
            header[key] = value
    with pytest.raises(
        DataError, match=r"^a\.fits: where it is on the sky cannot be read .*\.$"
    ) as caught:
        read(upright(), header)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "cards",
    [
        {"CUNIT1": "DEG", "CUNIT2": "degrees"},
        {"EQUINOX": " "},
        {"RADESYS": "J2000"},
        {"CD1_1": -SCALE / 3600, "CD2_2": SCALE / 3600, "CDELT1": None, "CDELT2": None},
    ],
    ids=str,
)
def test_other_writings_of_the_same_place_are_understood(cards: dict[str, object]):
    header = sky_wcs(CENTRE, SCALE, (SIZE, SIZE)).to_header()
    for key, value in cards.items():
        header[key] = value
        if value is None:
            del header[key]
    found = read(upright(), header)
    assert found.position.separation(CENTRE).arcsec < 0.05
    assert found.pixel_scale == pytest.approx(SCALE)
    np.testing.assert_allclose(found.pixels, upright(), atol=1e-6)


def test_galactic_coordinates_do_not_depend_on_an_equatorial_system():
    wcs = sky_wcs(CENTRE, SCALE, (SIZE, SIZE))
    header = wcs.to_header()
    there = CENTRE.galactic
    for key, value in (("CTYPE1", "GLON-SIN"), ("CTYPE2", "GLAT-SIN"), ("RADESYS", "GALACTIC")):
        header[key] = value
    header["CRVAL1"], header["CRVAL2"] = there.l.deg, there.b.deg
    assert read(upright(), header).position.separation(CENTRE).arcsec < 0.01


@pytest.mark.parametrize("name", ["RMS", "ERR", "IVAR", "DQ", "background", "PB"])
def test_a_file_that_holds_no_image_of_the_sky_says_so(name: str):
    with pytest.raises(DataError, match=r"a\.fits: its cards call it .* no picture of a source"):
        read(upright(), fits.Header({"EXTNAME": name}))
    pair = io.BytesIO()
    units = [fits.PrimaryHDU(), fits.ImageHDU(upright() + 9, name=name), fits.ImageHDU(upright())]
    fits.HDUList(units).writeto(pair)
    pair.seek(0)
    np.testing.assert_array_equal(decode(pair, "a.fits").pixels, upright())


def test_another_polarisation_is_no_image_of_a_source():
    with pytest.raises(DataError, match="its cards call it image in Stokes V"):
        read(upright()[None], fits.Header({"CTYPE3": "STOKES", "CRVAL3": 4.0}))


def test_without_a_place_there_is_none_and_pixels_are_as_they_are():
    found = read(upright(), fits.Header({"CDELT1": 1.0, "OBJECT": "RA unknown"}))
    assert (found.position, found.pixel_scale) == (None, None)
    np.testing.assert_array_equal(found.pixels, upright())


@pytest.mark.parametrize("inherit", [None, True, False])
def test_an_extension_inherits_its_place_unless_it_says_not_to(inherit: bool | None):
    primary = fits.PrimaryHDU(header=sky_wcs(CENTRE, SCALE, (SIZE, SIZE)).to_header())
    primary.header["BUNIT"] = "mJy/beam"
    image = fits.ImageHDU(upright())
    if inherit is not None:
        image.header["INHERIT"] = inherit
    file = io.BytesIO()
    fits.HDUList([primary, image]).writeto(file)
    file.seek(0)
    found = decode(file, "a.fits")
    has = inherit is not False
    assert (found.pixel_scale is not None) == has
    assert found.unit == ("mJy/beam" if has else None)


def test_a_place_of_its_own_is_not_mixed_with_the_primary_one():
    other = sky_wcs(SkyCoord(10, 10, unit="deg"), 9.0, (5, 5))
    other.wcs.pc = [[0.0, 1.0], [-1.0, 0.0]]
    image = fits.ImageHDU(upright(), sky_wcs(CENTRE, SCALE, (SIZE, SIZE)).to_header())
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(header=other.to_header()), image]).writeto(file)
    file.seek(0)
    found = decode(file, "a.fits")
    np.testing.assert_allclose(found.pixels, upright(), atol=1e-6)
    assert found.pixel_scale == pytest.approx(SCALE)


@pytest.mark.parametrize(
    ("name", "cards", "kind"),
    [
        ("J1200+30.fits", {}, "image"),
        ("mosaic.image.restored.fits", {"BTYPE": "Intensity"}, "image"),
        ("J1200+30.rms.fits", {}, "rms"),
        ("noiseMap.image.i.fits", {}, "rms"),
        ("J1200_RMS.fits", {}, "rms"),
        ("mosaic-weights.fits", {}, "weight"),
        ("field_wt.fits", {}, "weight"),
        ("field_mask.fits", {}, "other"),
        ("field-residual.fits", {}, "other"),
        ("a.fits", {"BTYPE": "rms"}, "rms"),
        ("a.fits", {"EXTNAME": "WEIGHT"}, "weight"),
        ("normal_weighted.fits", {}, "image"),
        ("mosaic.pb.fits", {}, "other"),
        ("mosaic.pb.corrected.fits", {}, "image"),
        ("mosaic.pbcor.fits", {}, "image"),
        ("field_background_subtracted.fits", {}, "image"),
        ("field.image.tt0.fits", {}, "image"),
        ("field.image.tt1.fits", {}, "other"),
        ("field.taylor.1.restored.fits", {}, "other"),
        ("field.alpha.fits", {}, "other"),
        ("a.fits", {"EXTNAME": "VAR"}, "weight"),
        ("a.fits", {"EXTNAME": "UNCERT"}, "rms"),
    ],
)
def test_maps_beside_the_image_are_told_from_it(name: str, cards: dict[str, str], kind: str):
    assert kind_of(fits.Header(cards), Path(name)) == kind


@pytest.mark.parametrize(
    ("cards", "stokes"),
    [
        ({}, "I"),
        ({"STOKES": "V"}, "V"),
        ({"CTYPE4": "STOKES", "CRVAL4": 1.0, "CRPIX4": 1.0, "CDELT4": 1.0}, "I"),
        ({"CTYPE3": "STOKES", "CRVAL3": 4.0, "CRPIX3": 1.0, "CDELT3": 1.0}, "V"),
        ({"CTYPE3": "STOKES", "CRVAL3": 1.0, "CRPIX3": 0.0, "CDELT3": 1.0}, "Q"),
        ({"CTYPE3": "STOKES", "CRVAL3": -1.0}, "RR"),
    ],
)
def test_the_polarisation_is_read_off_the_axis(cards: dict[str, object], stokes: str):
    assert stokes_of(fits.Header(cards)) == stokes
    assert stokes_of(fits.Header(cards), Path("image.q.field.fits")) == (stokes if cards else "Q")


def test_a_beam_is_read_off_cards_or_off_the_history_of_aips():
    assert beam_of(fits.Header()) is None
    assert beam_of(fits.Header({"BMAJ": 0.0015})) == Beam(5.4, 5.4, 0.0)
    header = fits.Header()
    header["HISTORY"] = "AIPS   CLEAN BMAJ=  1.7778E-03 BMIN=  1.5000E-03 BPA=   0.00"
    beam = beam_of(header)
    assert (beam.major, beam.minor, beam.angle) == pytest.approx((6.4, 5.4, 0.0), rel=1e-4)
    with pytest.raises(DataError, match="correct BMAJ, BMIN, BPA"):
        beam_of(fits.Header({"BMAJ": "5 arcsec"}))


@pytest.mark.parametrize(
    "cards", [{"BMAJ": -1.0}, {"BMAJ": "nan"}, {"BMAJ": 0.1, "BPA": "nan"}], ids=str
)
def test_a_beam_without_a_size_is_refused(cards: dict[str, object]):
    with pytest.raises(DataError, match=r"its beam .* has no size; correct BMAJ, BMIN, BPA"):
        beam_of(fits.Header(cards))
