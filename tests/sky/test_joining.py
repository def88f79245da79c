"""Mosaics that state what they are: units, kinds, beams, edges; fluxes and peaks beside the formula."""

from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from skylobe.core.errors import DataError, NoPixelsError
from skylobe.images.files import read_image
from skylobe.sky.beam import SIGMA, Beam
from skylobe.sky.cutout import sky_wcs
from skylobe.sky.fetching import save
from skylobe.sky.services.mosaics import Mosaics
from skylobe.sky.surveys.nrao import FIRST

HERE = SkyCoord(206.42, 23.38, unit="deg")
SCALE, WIDTH = 1.8, 120


def source(
    beam: float = 5.4, *, width: int = WIDTH, scale: float = SCALE, dx: float = 0.0, dy: float = 0.0
) -> np.ndarray:
    """A point source of 1 Jy in a round beam, so many pixels off the centre."""
    row, column = np.mgrid[:width, :width] - (width - 1) / 2
    distance = ((row - dy) ** 2 + (column - dx) ** 2) * scale**2
    return np.exp(-distance / (2 * (SIGMA * beam) ** 2)).astype(np.float32)


def tile(
    path: Path,
    pixels: np.ndarray,
    *,
    scale: float = SCALE,
    beam: Beam | None = None,
    unit: str | None = "Jy/beam",
    dx: float = 0.0,
    dy: float = 0.0,
    **cards: object,
) -> Path:
    """Write a mosaic whose centre, moved by so many pixels, is the position of all tests."""
    wcs = sky_wcs(HERE, scale, pixels.shape)
    wcs.wcs.crpix = np.add(wcs.wcs.crpix, (dx, dy))
    header = wcs.to_header()
    if unit is not None:
        header["BUNIT"] = unit
    if beam is not None:
        (header["BMAJ"], header["BMIN"]) = (axis / 3600 for axis in beam.axes)
        header["BPA"] = beam.angle
    header.update(cards)
    fits.PrimaryHDU(pixels, header).writeto(path)
    return path


def cut(folder: Path, width: int = 51, scale: float = SCALE) -> np.ndarray:
    return Mosaics(folder).cutout(HERE, FIRST, width, scale).pixels


@given(
    beam=st.floats(2.4, 6.0),
    dx=st.floats(-0.5, 0.5),
    dy=st.floats(-0.5, 0.5),
    ratio=st.floats(0.5, 1.6),
    projection=st.sampled_from(["SIN", "TAN", "ZEA"]),
)
@settings(max_examples=20, deadline=None)
def test_a_point_source_keeps_its_peak_and_flux(
    tmp_path_factory: pytest.TempPathFactory,
    beam: float,
    dx: float,
    dy: float,
    ratio: float,
    projection: str,
):
    """Beams of 2.4 to 6 pixels, at any place between pixels, on finer and coarser grids: 1 % and 0.5 %."""
    folder = tmp_path_factory.mktemp("tiles")
    pixels = source(beam * SCALE, dx=dx, dy=dy)
    axes = {"CTYPE1": f"RA---{projection}", "CTYPE2": f"DEC--{projection}"}
    tile(folder / "a.fits", pixels, dx=dx, dy=dy, beam=Beam(beam * SCALE), **axes)
    scale = SCALE * ratio
    width = 2 * round(24 * SCALE / scale) + 1
    found = cut(folder, width, scale)
    assert found[width // 2, width // 2] == pytest.approx(1.0, abs=0.01)
    assert found.sum() * ratio**2 == pytest.approx(2 * np.pi * (SIGMA * beam) ** 2, rel=0.005)


def test_pixels_that_fit_the_grid_are_taken_whole(tmp_path: Path):
    pixels = np.random.default_rng(0).normal(0, 1, (WIDTH, WIDTH)).astype(np.float32)
    tile(tmp_path / "a.fits", pixels)
    np.testing.assert_array_equal(cut(tmp_path, 50), pixels[35:85, 35:85])


def test_units_are_converted_and_mixed_ones_averaged_as_one(tmp_path: Path):
    pixels = source()
    tile(tmp_path / "a.fits", pixels)
    tile(tmp_path / "b.fits", pixels * 1e3, unit="mJy/beam")
    tile(tmp_path / "c.fits", pixels * 1e6, unit="uJy/beam")
    for name in ("a.fits", "b.fits", "c.fits", ""):
        np.testing.assert_allclose(cut(tmp_path / name, 50), pixels[35:85, 35:85], rtol=1e-6)


@pytest.mark.parametrize("unit", ["K", "Jy/pixel", "MJy/sr", "counts"])
def test_another_unit_is_refused(tmp_path: Path, unit: str):
    tile(tmp_path / "a.fits", source(), unit=unit)
    with pytest.raises(DataError, match=rf"a\.fits: its unit '{unit}' is not Jy/beam"):
        cut(tmp_path)


def test_no_unit_is_refused_with_the_way_to_say_it(tmp_path: Path):
    path = tile(tmp_path / "a.fits", source(), unit=None)
    with pytest.raises(DataError, match=r"has no BUNIT.*fits\.setval"):
        cut(tmp_path)
    fits.setval(path, "BUNIT", value="Jy/beam")
    assert cut(tmp_path).max() > 0.9


@pytest.mark.parametrize(
    ("name", "cards"),
    [
        ("b.rms.fits", {}),
        ("b.fits", {"BTYPE": "rms"}),
        ("b-weights.fits", {"BUNIT": "beam/Jy2"}),
        ("b.fits", {"EXTNAME": "weight"}),
        ("b.fits", {"STOKES": "V"}),
    ],
)
def test_maps_beside_the_image_are_left_out(tmp_path: Path, name: str, cards: dict[str, str]):
    pixels = source()
    tile(tmp_path / "a.fits", pixels)
    alone = cut(tmp_path)
    tile(tmp_path / name, np.full_like(pixels, 7.0), **cards)
    np.testing.assert_array_equal(cut(tmp_path), alone)
    with pytest.raises(DataError, match=r"no image of Stokes I.*add the image itself"):
        cut(tmp_path / name)


def test_a_polarisation_axis_counts_as_well(tmp_path: Path):
    pixels = source()
    axes = {"CTYPE3": "STOKES", "CRPIX3": 1.0, "CDELT3": 1.0}
    for name, value in (("i.fits", 1.0), ("q.fits", 2.0)):
        header = sky_wcs(HERE, SCALE, pixels.shape).to_header()
        header.update(axes | {"CRVAL3": value, "BUNIT": "Jy/beam"})
        fits.PrimaryHDU(pixels[None] * value, header).writeto(tmp_path / name)
    assert cut(tmp_path, 50).max() == pytest.approx(pixels.max())


@given(edge=st.integers(20, 100), empty=st.sampled_from([0.0, np.nan]), rows=st.booleans())
@settings(max_examples=12, deadline=None)
def test_what_a_neighbour_did_not_see_takes_nothing_away(
    tmp_path_factory: pytest.TempPathFactory, edge: int, empty: float, rows: bool
):
    """One tile is whole, the other is filled up to some edge: the picture is that of the whole one."""
    folder = tmp_path_factory.mktemp("tiles")
    noise = np.random.default_rng(0).normal(0, 1e-3, (WIDTH, WIDTH)).astype(np.float32)
    pixels = source() + noise
    half = pixels.copy()
    (half if rows else half.T)[:edge] = empty
    tile(folder / "a.fits", pixels)
    tile(folder / "b.fits", half)
    found = cut(folder, 50, SCALE)
    np.testing.assert_allclose(found, pixels[35:85, 35:85], atol=1e-6)


def test_an_edge_does_not_darken_what_lies_beside_it(tmp_path: Path):
    """A level of 1 up to the edge of a filled margin, cut between the pixels, is 1 up to the edge."""
    pixels = np.ones((WIDTH, WIDTH), np.float32)
    for number, empty in enumerate((0.0, np.nan)):
        pixels[:, :60] = empty
        path = tile(tmp_path / f"{number}.fits", pixels, dx=0.5, dy=0.5)
        found = Mosaics(path).cutout(HERE, FIRST, 50, SCALE, min_finite=0.1).pixels
        assert set(np.unique(found[np.isfinite(found) & (found != 0)]).tolist()) == {1.0}


def test_single_zeros_are_values(tmp_path: Path):
    """Whole numbers are often 0; such a pixel is measured."""
    counts = np.random.default_rng(0).integers(-3, 4, (WIDTH, WIDTH)).astype(np.float32)
    tile(tmp_path / "a.fits", counts)
    tile(tmp_path / "b.fits", counts + 1)
    np.testing.assert_allclose(cut(tmp_path, 50), counts[35:85, 35:85] + 0.5)


def test_only_zeros_are_no_pixels(tmp_path: Path):
    pixels = source()
    pixels[:, :90] = 0
    tile(tmp_path / "a.fits", pixels)
    with pytest.raises(NoPixelsError, match="every pixel there is zero"):
        cut(tmp_path, 20)


def test_tiles_of_two_beams_meet_in_the_larger(tmp_path: Path):
    """A source of 1 Jy is 1 Jy/beam in either beam, and as wide as the common one."""
    tile(tmp_path / "a.fits", source(5.4), beam=Beam(5.4))
    tile(tmp_path / "b.fits", source(7.2), beam=Beam(7.2))
    cutout = Mosaics(tmp_path).cutout(HERE, FIRST, 50, SCALE)
    assert cutout.beam == Beam(7.2)
    np.testing.assert_allclose(cutout.pixels, source(7.2)[35:85, 35:85], atol=0.005)


def test_nearly_the_same_beam_is_the_same(tmp_path: Path):
    tile(tmp_path / "a.fits", source(5.4), beam=Beam(5.4, 5.39, 10.0))
    tile(tmp_path / "b.fits", source(5.4), beam=Beam(5.41, 5.4, 80.0))
    np.testing.assert_allclose(cut(tmp_path, 50), source(5.4)[35:85, 35:85], rtol=1e-6)


def test_a_tile_without_a_beam_is_not_mixed_with_one_that_has_it(tmp_path: Path):
    tile(tmp_path / "a.fits", source(), beam=Beam(5.4))
    tile(tmp_path / "b.fits", source())
    with pytest.raises(
        DataError, match=r"b\.fits: states no beam, where .*a\.fits has one of 5\.4″"
    ):
        cut(tmp_path)
    assert Mosaics(tmp_path / "b.fits").cutout(HERE, FIRST, 50, SCALE).beam is None


def test_a_beam_in_arcsec_is_told_by_its_width(tmp_path: Path):
    tile(tmp_path / "a.fits", source(), beam=Beam(5.4 * 3600))
    with pytest.raises(DataError, match=r"a\.fits: its beam .* pixels wide; write .* in degrees"):
        cut(tmp_path)


@pytest.mark.parametrize(
    "cards", [{"BLANK": "-32768"}, {"BLANK": -32768.0}, {"BSCALE": "1e-4"}, {"BZERO": "0"}], ids=str
)
def test_what_numbers_are_worth_is_a_number_or_refused_at_every_door(
    tmp_path: Path, cards: dict[str, object]
):
    path = tile(tmp_path / "a.fits", np.round(source() / 1e-4).astype(np.int16))
    with fits.open(path, do_not_scale_image_data=True) as hdus:
        header, body = hdus[0].header, hdus[0].data.tobytes()
    header.update(cards)
    head = header.tostring(endcard=True, padding=True).encode()
    path.write_bytes(head + body + bytes(-len(body) % 2880))
    for door in (lambda: cut(tmp_path), lambda: read_image(path)):
        with pytest.raises(
            DataError, match=rf"a\.fits: its {next(iter(cards))} is .* correct the card"
        ):
            door()


@pytest.mark.parametrize("blank", [None, -32768])
def test_whole_numbers_with_a_scale_are_brightness(tmp_path: Path, blank: int | None):
    pixels = source()
    header = sky_wcs(HERE, SCALE, pixels.shape).to_header()
    header["BUNIT"] = "Jy/beam"
    stored = np.round(pixels / 1e-4).astype(np.int16)
    if blank is not None:
        header["BLANK"] = blank
        stored[:45] = blank
    hdu = fits.PrimaryHDU(stored, header)
    hdu.header["BSCALE"], hdu.header["BZERO"] = 1e-4, 0.0
    body = stored.astype(">i2").tobytes()
    head = hdu.header.tostring(endcard=True, padding=True).encode()
    (tmp_path / "a.fits").write_bytes(head + body + bytes(-len(body) % 2880))
    found = cut(tmp_path, 50)
    expected = pixels[35:85, 35:85].copy()
    if blank is not None:
        expected[:10] = np.nan
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_beam_goes_into_the_file_and_comes_back(tmp_path: Path):
    beam = Beam(6.4, 5.4, 30.0)
    (tmp_path / "tiles").mkdir()
    tile(tmp_path / "tiles" / "a.fits", source(), beam=beam)
    cutout = Mosaics(tmp_path / "tiles").cutout(HERE, FIRST, 50, SCALE)
    header = fits.getheader(save(cutout, tmp_path / "out.fits"))
    assert [header[key] for key in ("BMAJ", "BMIN", "BPA")] == pytest.approx(
        [6.4 / 3600, 0.0015, 30.0]
    )
    again = Mosaics(tmp_path / "out.fits").cutout(HERE, FIRST, 40, SCALE)
    assert again.beam.matches(beam)
    np.testing.assert_array_equal(again.pixels, cutout.pixels[5:45, 5:45])


def test_wider_pixels_than_the_beam_keep_the_flux(tmp_path: Path):
    rng = np.random.default_rng(0)
    for number, (dx, dy) in enumerate(rng.uniform(-0.5, 0.5, (5, 2))):
        (tmp_path / str(number)).mkdir()
        tile(tmp_path / str(number) / "a.fits", source(dx=dx, dy=dy), beam=Beam(5.4), dx=dx, dy=dy)
        found = cut(tmp_path / str(number), 21, 9.0)
        flux = found.sum() * 9.0**2 / Beam(5.4).area
        assert flux == pytest.approx(1.0, rel=0.005)
