"""Cut-outs from mosaics on disk: place, flux, several tiles, edges, shapes of radio FITS."""

import threading
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st

from sky.fake_services import _gaussian
from skylobe.core.errors import DataError, NoPixelsError, OutsideFootprintError
from skylobe.sky.cutout import sky_wcs
from skylobe.sky.services.mosaics import Mosaics
from skylobe.sky.surveys.meerkat import MIGHTEE
from skylobe.sky.surveys.nrao import NVSS

BEAM = 9.0  # arcsec


def write_tile(
    path: Path,
    centre: SkyCoord,
    sources: list[SkyCoord],
    *,
    width: int = 120,
    scale: float = 1.5,
    extra_axes: int = 2,
    value: float = 0.0,
    projection: str = "SIN",
) -> Path:
    """Write a mosaic as radio software does, with axes for frequency and Stokes and a beam."""
    wcs = sky_wcs(centre, scale, (width, width))
    wcs.wcs.ctype = [f"RA---{projection}", f"DEC--{projection}"]
    pixels = np.full((width, width), value)
    for one in sources:
        sky = (one.ra.deg, one.dec.deg, 1.0, BEAM)
        pixels += _gaussian(sky, centre.ra.deg, centre.dec.deg, width, scale / 3600)
    header = wcs.to_header()
    header["BMAJ"], header["BMIN"], header["BPA"] = BEAM / 3600, BEAM / 3600, 10.0
    header["BUNIT"] = "Jy/beam"
    for axis, kind in zip(range(3, 3 + extra_axes), ("FREQ", "STOKES"), strict=False):
        header[f"CTYPE{axis}"], header[f"CRVAL{axis}"] = kind, 1.28e9 if kind == "FREQ" else 1.0
        header[f"CRPIX{axis}"], header[f"CDELT{axis}"] = 1.0, 1.0
    data = pixels.reshape((1,) * extra_axes + pixels.shape).astype(np.float32)
    fits.PrimaryHDU(data, header).writeto(path)
    return path


def place(position: SkyCoord, pixels: np.ndarray, wcs: WCS) -> float:
    """Measure how far the brightness' centre is from a position, in pixels."""
    weight = np.nan_to_num(pixels)
    rows, columns = np.indices(pixels.shape)
    x, y = wcs.world_to_pixel(position)
    near = (rows - y) ** 2 + (columns - x) ** 2 < 12**2
    weight = weight * near
    return float(
        np.hypot(
            (columns * weight).sum() / weight.sum() - x, (rows * weight).sum() / weight.sum() - y
        )
    )


@given(
    ra=st.one_of(st.floats(0, 359.99), st.sampled_from([0.0, 359.9999999])),
    dec=st.one_of(st.floats(-90, 90), st.sampled_from([-90.0, 90.0, -0.5, 89.9999])),
    east=st.floats(-40, 40),
    north=st.floats(-40, 40),
    extra_axes=st.integers(0, 2),
)
@settings(max_examples=40, deadline=None)
def test_a_source_stays_where_it_is_on_the_sky(
    tmp_path_factory: pytest.TempPathFactory,
    ra: float,
    dec: float,
    east: float,
    north: float,
    extra_axes: int,
):
    folder = tmp_path_factory.mktemp("tiles")
    centre = SkyCoord(ra, dec, unit="deg")
    source = centre.spherical_offsets_by(east * u.arcsec, north * u.arcsec).icrs
    write_tile(folder / "one.fits", centre, [source], extra_axes=extra_axes)
    cutout = Mosaics(folder).cutout(source, MIGHTEE, 40, 1.5)
    assert cutout.pixels.shape == (40, 40)
    assert place(source, cutout.pixels, cutout.wcs) < 0.1
    row, column = np.indices(cutout.pixels.shape) - 19.5  # the source lies between four pixels
    expected = np.exp(-4 * np.log(2) * (row**2 + column**2) * 1.5**2 / BEAM**2)
    np.testing.assert_allclose(
        np.nan_to_num(cutout.pixels, nan=0.0)[10:30, 10:30], expected[10:30, 10:30], atol=0.005
    )


def test_north_is_up_and_east_is_left(tmp_path: Path):
    centre = SkyCoord(150.0, 2.2, unit="deg")
    north = centre.directional_offset_by(0 * u.deg, 15 * u.arcsec)
    east = centre.directional_offset_by(90 * u.deg, 15 * u.arcsec)
    for name, source, expected in (("n", north, (30, 20)), ("e", east, (20, 10))):
        write_tile(tmp_path / f"{name}.fits", centre, [source])
        pixels = Mosaics(tmp_path / f"{name}.fits").cutout(centre, MIGHTEE, 41, 1.5).pixels
        assert np.unravel_index(np.nanargmax(pixels), pixels.shape) == expected


def test_tiles_complete_each_other_and_edges_are_blank(tmp_path: Path):
    centre = SkyCoord(10.0, -30.0, unit="deg")
    step = 118 * 1.5 * u.arcsec
    right = centre.directional_offset_by(270 * u.deg, step)
    write_tile(tmp_path / "left.fits", centre, [], value=1.0)
    write_tile(tmp_path / "right.fits", right, [], value=3.0)
    edge = centre.directional_offset_by(270 * u.deg, step / 2)
    mosaics = Mosaics(tmp_path)
    pixels = mosaics.cutout(edge, MIGHTEE, 40, 1.5).pixels
    assert np.isfinite(pixels).all()
    assert pixels[20, 3] == pytest.approx(1.0)
    assert pixels[20, -3] == pytest.approx(3.0)
    assert (np.abs(pixels - 2) < 1e-4).any()  # both measured it
    top = centre.directional_offset_by(0 * u.deg, 58 * 1.5 * u.arcsec)
    half = mosaics.cutout(top, MIGHTEE, 40, 1.5, min_finite=0.2).pixels
    assert np.isfinite(half[:18]).all()
    assert np.isnan(half[-16:]).all()
    with pytest.raises(NoPixelsError, match=r"5\d% of the pixels"):
        mosaics.cutout(top, MIGHTEE, 40, 1.5, min_finite=0.9)


def test_off_the_tiles_is_outside(tmp_path: Path):
    centre = SkyCoord(10.0, -30.0, unit="deg")
    write_tile(tmp_path / "one.fits", centre, [])
    mosaics = Mosaics(tmp_path)
    for position in (SkyCoord(10.2, -30, unit="deg"), SkyCoord(190, 30, unit="deg")):
        with pytest.raises(OutsideFootprintError, match="none of 1 mosaics holds"):
            mosaics.cutout(position, MIGHTEE, 40, 1.5)


def test_blank_tiles_have_no_pixels(tmp_path: Path):
    centre = SkyCoord(10.0, -30.0, unit="deg")
    write_tile(tmp_path / "one.fits", centre, [], value=np.nan)
    with pytest.raises(NoPixelsError, match="0% of the pixels"):
        Mosaics(tmp_path).cutout(centre, MIGHTEE, 40, 1.5)


def test_a_coarse_grid_averages_instead_of_sampling(tmp_path: Path):
    centre = SkyCoord(10.0, -30.0, unit="deg")
    write_tile(tmp_path / "one.fits", centre, [])
    with fits.open(tmp_path / "one.fits", mode="update") as hdus:
        noise = np.random.default_rng(0).normal(5, 1, hdus[0].data.shape)
        hdus[0].data[:] = noise
    pixels = Mosaics(tmp_path).cutout(centre, MIGHTEE, 10, 9.0).pixels
    assert pixels.mean() == pytest.approx(5, abs=0.1)
    assert pixels.std() < 0.5  # 36 pixels in one


def test_the_beam_is_read_from_the_header(tmp_path: Path):
    centre = SkyCoord(10.0, -30.0, unit="deg")
    write_tile(tmp_path / "one.fits", centre, [])
    beam = Mosaics(tmp_path).beam(centre)
    assert (beam.major, beam.minor, beam.angle) == pytest.approx((BEAM, BEAM, 10.0))
    assert Mosaics(tmp_path).beam(SkyCoord(0, 0, unit="deg")) is None


def test_unusable_files_are_named(tmp_path: Path):
    with pytest.raises(DataError, match="holds no mosaic"):
        _ = Mosaics(tmp_path).tiles
    (tmp_path / "text.fits").write_text("not FITS")
    with pytest.raises(DataError, match=r"text\.fits: not a readable mosaic"):
        _ = Mosaics(tmp_path).tiles
    fits.PrimaryHDU().writeto(tmp_path / "none.fits")
    with pytest.raises(DataError, match="holds no image"):
        _ = Mosaics([tmp_path / "none.fits"]).tiles
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(tmp_path / "nowhere.fits")
    with pytest.raises(DataError, match="no celestial coordinates"):
        _ = Mosaics([tmp_path / "nowhere.fits"]).tiles
    centre = SkyCoord(10.0, -30.0, unit="deg")
    header = sky_wcs(centre, 1.0, (50, 50)).to_header()
    fits.PrimaryHDU(np.zeros((2, 50, 50)), header).writeto(tmp_path / "cube.fits")
    with pytest.raises(DataError, match="several planes"):
        Mosaics([tmp_path / "cube.fits"]).cutout(centre, MIGHTEE, 10, 1.0)
    cut = write_tile(tmp_path / "cut.fits", centre, [])
    cut.write_bytes(cut.read_bytes()[:20_000])
    with pytest.raises(DataError, match=r"cut\.fits"):
        Mosaics([cut]).cutout(centre, MIGHTEE, 60, 1.5)


def test_threads_share_a_set_of_mosaics(tmp_path: Path):
    centres = [SkyCoord(10.0 + 0.2 * i, -30.0, unit="deg") for i in range(4)]
    for i, centre in enumerate(centres):
        write_tile(tmp_path / f"{i}.fits", centre, [], value=i + 1.0)
    mosaics, good = Mosaics(tmp_path), []

    def work(i: int) -> None:
        good.extend(
            np.allclose(mosaics.cutout(centres[i], MIGHTEE, 30, 1.5).pixels, i + 1)
            for _ in range(8)
        )

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(good) == 32
    assert all(good)


def test_real_compressed_nvss_fields_are_mosaics_too(mirror: Path):
    paths = sorted((mirror / "frdeep" / "NVSS").glob("*.fz"))[:5]
    mosaics = Mosaics(paths)
    for tile in mosaics.tiles:
        assert tile.shape == (150, 150)
        cutout = mosaics.cutout(tile.centre, NVSS, 40, 15.0)
        original = tile.read(slice(55, 95), slice(55, 95))
        np.testing.assert_allclose(cutout.pixels, original, atol=0.02 * np.ptp(original))
