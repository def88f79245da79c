from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from skylobe.core.errors import ConfigError, DataError, UnavailableError
from skylobe.images import datasets
from skylobe.images.datasets import mightee
from skylobe.models.prepare import prepare
from skylobe.models.settings import Preprocessing

SCALE = 1.1  # arcsec per pixel
WIDTH = 500
CENTRES = {"COSMOS": (150.12, 2.2), "XMMLSS": (35.5, -4.8)}
# column and row in the mosaic, name, class, share of the votes
SOURCES = {
    "COSMOS": [
        (120.0, 140.0, "J100030.00+021100.0", "FRI", 1.0),
        (300.0, 330.0, "J100020.00+021400.0", "FRII", 0.6),
        (20.0, 400.0, "J100036.00+021500.0", "FRII", 0.8),  # less than half a cut-out from the edge
    ],
    "XMMLSS": [
        (250.0, 250.0, "J022200.00-044800.0", "FRII", 0.8),
        (100.0, 350.0, "J022210.00-044600.0", "Point Source", 1.0),
        (400.0, 90.0, "J022150.00-045100.0", "FRI", 0.6),
    ],
}


def sky(field: str) -> WCS:
    wcs = WCS(naxis=4)
    wcs.wcs.ctype = ["RA---SIN", "DEC--SIN", "FREQ", "STOKES"]
    wcs.wcs.cdelt = [-SCALE / 3600, SCALE / 3600, 1e6, 1]
    wcs.wcs.crpix = [WIDTH / 2, WIDTH / 2, 1, 1]
    wcs.wcs.crval = [*CENTRES[field], 1.28e9, 1]
    wcs.wcs.cunit = ["deg", "deg", "Hz", ""]
    return wcs


def write_mosaic(folder: Path, field: str) -> None:
    """Noise with two lobes 24 pixels apart, the upper twice as bright, at each source."""
    row, column = np.mgrid[:WIDTH, :WIDTH]
    pixels = np.random.default_rng(1).normal(0, 2e-6, (WIDTH, WIDTH))
    for x, y, *_ in SOURCES[field]:
        for up, peak in ((12, 2e-4), (-12, 1e-4)):
            pixels += peak * np.exp(-((column - x) ** 2 + (row - y - up) ** 2) / 20)
    pixels[:, :5] = np.nan
    header = sky(field).to_header()
    header["BUNIT"] = "JY/BEAM"
    fits.writeto(folder / f"{field}_image.fits", pixels[None, None].astype(np.float32), header)


def write_catalogue(folder: Path, field: str) -> None:
    """The survey's catalogue lists more sources than were classified."""
    columns, rows, names, *_ = zip(*SOURCES[field], (200, 60, "J000000.0+000000.0"), strict=False)
    positions = sky(field).celestial.pixel_to_world(columns, rows)
    table = Table({"NAME": list(names), "RA": positions.ra.deg, "DEC": positions.dec.deg})
    table["S_INT"] = 1e-3
    table.write(folder / f"{field}_source_catalogue.fits")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "mightee"
    folder.mkdir()
    for field in SOURCES:
        write_mosaic(folder, field)
        write_catalogue(folder, field)
    classified = [one[2:] for sources in SOURCES.values() for one in sources]
    names = ["filename", "majority_classification", "vote_fraction"]
    Table(rows=sorted(classified), names=names).write(folder / mightee.LABELS)
    return tmp_path


def test_each_classified_source_is_cut_out_with_its_label(root: Path):
    loaded = datasets.load("mightee", root=root)
    expected = [one for field in SOURCES.values() for one in field if one[3] in ("FRI", "FRII")]
    assert loaded.source_ids.tolist() == [one[2] for one in expected]
    assert [loaded.class_names[label] for label in loaded.labels] == [one[3] for one in expected]
    assert loaded.class_names == ("FRI", "FRII")
    assert loaded.images.shape == (5, 1, 246, 246)
    assert loaded.pixel_scale == pytest.approx(SCALE, rel=1e-4)
    assert loaded.columns["field"].tolist() == ["COSMOS"] * 3 + ["XMMLSS"] * 2
    assert loaded.columns["vote_fraction"].tolist() == [one[4] for one in expected]
    assert loaded.splits is None


def test_the_source_is_in_the_middle_and_north_is_up(root: Path):
    loaded = datasets.load("mightee", root=root)
    for image in loaded.images[:, 0].numpy():
        row, column = np.unravel_index(image.argmax(), image.shape)
        assert abs(row - (123 + 12)) <= 1  # the brighter lobe
        assert abs(column - 123) <= 1
    upper = sky("COSMOS").celestial.pixel_to_world(120.0, 152.0)
    assert upper.dec > loaded.positions[0].dec
    assert loaded.positions[0].separation(upper).arcsec == pytest.approx(12 * SCALE, rel=1e-3)


def test_the_encoder_sees_the_same_sky_as_on_first(root: Path):
    loaded = datasets.load("mightee", root=root)
    grid = Preprocessing(crop_pix=70, pixel_scale=1.8, mean=0.0, std=1.0)
    seen = prepare(loaded.images, grid, pixel_scale=loaded.pixel_scale)[0, 0].numpy()
    bright = np.unravel_index(seen.argmax(), seen.shape)
    assert bright[0] - 35 == pytest.approx(12 * SCALE / 1.8, abs=1)


def test_nothing_that_the_encoder_sees_is_cut_off_by_the_circle(root: Path):
    with fits.open(root / "mightee" / "COSMOS_image.fits", mode="update") as hdus:
        # 55 pixels to the east and north: 86″ away, in the corner of the encoder's 126″
        hdus[0].data[0, 0, 330 + 55, 300 - 55] = 1.5e-4
    loaded = datasets.load("mightee", root=root)
    image = loaded.images[loaded.source_ids.tolist().index("J100020.00+021400.0"), 0].numpy()
    assert image[123 + 50 : 123 + 60, 123 - 60 : 123 - 50].max() > 0
    assert image[:30, :30].max() == 0  # outside the circle of 270″
    assert loaded.width == 270.0


def test_the_mosaic_is_read_as_every_tile_is(root: Path):
    path = root / "mightee" / "XMMLSS_image.fits"
    expected = mightee.load(None, root)
    with fits.open(path, mode="update") as hdus:
        hdus[0].data *= 1e6
        hdus[0].header["BUNIT"] = "uJy/beam"
    again = mightee.load(None, root)
    assert (again.images == expected.images).float().mean() > 0.999
    fits.setval(path, "BTYPE", value="rms")
    with pytest.raises(DataError, match=r"no image of Stokes I"):
        mightee.load(None, root)


def test_subsets_are_by_the_share_of_the_votes(root: Path):
    confident, uncertain = (
        datasets.load("mightee", root=root, subset=one) for one in mightee.SUBSETS
    )
    assert (
        confident.columns["vote_fraction"].min() > 0.65 >= uncertain.columns["vote_fraction"].max()
    )
    assert (len(confident), len(uncertain)) == (3, 2)


def test_what_there_is_not(root: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ConfigError, match="draw one by source_id"):
        mightee.load("test", root)
    with pytest.raises(ConfigError, match="no subset 'sure'"):
        mightee.load(None, root, subset="sure")
    monkeypatch.delenv("SKYLOBE_MIRROR", raising=False)
    with pytest.raises(UnavailableError, match=r"zenodo\.8188867"):
        mightee.load(None, root / "nowhere")
    (root / "mightee" / "XMMLSS_image.fits").unlink()
    with pytest.raises(UnavailableError, match=r"XMMLSS_image\.fits is not here"):
        mightee.load(None, root)


def test_a_truncated_mosaic_is_named(root: Path):
    path = root / "mightee" / "COSMOS_image.fits"
    path.write_bytes(path.read_bytes()[:50_000])
    with pytest.raises(DataError, match=r"COSMOS_image\.fits: cannot be read"):
        mightee.load(None, root)


def test_files_that_do_not_fit_together_are_refused(root: Path):
    folder = root / "mightee"
    catalogue = folder / "COSMOS_source_catalogue.fits"
    table = Table.read(catalogue)
    table[1:].write(catalogue, overwrite=True)
    with pytest.raises(DataError, match=r"J100030.* in neither field's catalogue"):
        mightee.load(None, root)
    table["RA"] = table["RA"] + 20
    table.write(catalogue, overwrite=True)
    with pytest.raises(DataError, match="does not show J100030"):
        mightee.load(None, root)
    table.rename_column("RA", "right_ascension")
    table.write(catalogue, overwrite=True)
    with pytest.raises(DataError, match="has no column RA"):
        mightee.load(None, root)


def test_two_scales_are_refused(root: Path):
    with fits.open(root / "mightee" / "XMMLSS_image.fits", mode="update") as hdus:
        hdus[0].header["CDELT1"] *= 1.5
        hdus[0].header["CDELT2"] *= 1.5
    with pytest.raises(DataError, match="take both at one resolution"):
        mightee.load(None, root)
