import gzip

import numpy as np
import pytest
import torch
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from PIL import Image

from conftest import lobes
from skylobe.core.errors import ConfigError, DataError
from skylobe.core.table_formats import FORMATS
from skylobe.core.table_writing import write_table
from skylobe.images import datasets
from skylobe.images.normalise import normalise


def wcs_header(ra, dec, width, scale=1.8):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---SIN", "DEC--SIN"]
    wcs.wcs.crval = [ra, dec]
    wcs.wcs.crpix = [(width + 1) / 2] * 2
    wcs.wcs.cdelt = [-scale / 3600, scale / 3600]
    return wcs.to_header()


@pytest.fixture
def pixels():
    rng = np.random.default_rng(0)
    images = lobes(6, width=90).images[:, 0].numpy() / 255 * 0.05
    return (images + rng.normal(0, 2e-4, images.shape)).astype(np.float32)


@pytest.fixture
def folder(tmp_path, pixels):
    """One image in each format."""
    header = wcs_header(150.0, -0.5, 90)
    fits.PrimaryHDU(pixels[0], header).writeto(tmp_path / "a.fits")
    fits.PrimaryHDU(pixels[1][None, None], header).writeto(tmp_path / "b.fits")
    with gzip.open(tmp_path / "c.fits.gz", "wb") as file:
        file.write(fits_bytes(pixels[2], header))
    fits.HDUList(
        [fits.PrimaryHDU(), fits.CompImageHDU(pixels[3], header, quantize_level=64)]
    ).writeto(tmp_path / "d.fits.fz")
    np.save(tmp_path / "e.npy", pixels[4].astype(np.float64))
    grey = (pixels[5].clip(0) / pixels[5].max() * 65535).astype(np.uint16)
    Image.fromarray(grey[::-1]).save(tmp_path / "f.png")
    return tmp_path


def fits_bytes(pixels, header):
    import io

    buffer = io.BytesIO()
    fits.PrimaryHDU(pixels, header).writeto(buffer)
    return buffer.getvalue()


FILES = ["a.fits", "b.fits", "c.fits.gz", "d.fits.fz", "e.npy", "f.png"]


def columns():
    return Table({"Name": list("uvwxyz"), "file": FILES, "label": [*"pqpqp", ""]})


@pytest.mark.parametrize("ending", ["csv", "tsv", "ecsv", "fits", "vot", "parquet"])
def test_every_table_format_and_image_format(folder, pixels, ending):
    path = folder / f"mine.{ending}"
    write_table(columns(), path, FORMATS[path.suffix])
    found = datasets.load(path)
    assert found.source_ids.tolist() == list("uvwxyz")
    assert found.class_names == ("p", "q")
    assert found.labels.tolist() == [0, 1, 0, 1, 0, -1]
    assert found.pixel_scale == pytest.approx(1.8, rel=1e-6)
    assert found.positions[0].ra.deg == pytest.approx(150.0)
    assert found.images.shape == (6, 1, 150, 150)
    images = found.images.float() / (255 if found.images.dtype == torch.uint8 else 1)
    for row in (0, 1, 2, 4):
        expected = normalise(pixels[row], width_pix=150).astype(np.float32) / 255
        np.testing.assert_allclose(images[row, 0], expected, atol=1e-6)
    # compression quantises
    assert (
        np.corrcoef(images[3, 0].ravel(), normalise(pixels[3], width_pix=150).ravel())[0, 1] > 0.999
    )
    # a picture's upper edge is the image's upper edge
    lit = images[5, 0, 30:120, 30:120].numpy()
    assert np.corrcoef(lit.ravel(), pixels[5].ravel())[0, 1] > 0.99


def test_a_set_without_labels_or_positions(folder):
    (folder / "bare.csv").write_text("id,file\n1,e.npy\n2,f.png\n")
    found = datasets.load(folder / "bare.csv")
    assert found.source_ids.tolist() == ["1", "2"]
    assert found.labels is None
    assert found.positions is None
    assert found.pixel_scale is None


def test_a_folder_is_a_set(folder):
    found = datasets.load(folder)
    assert found.source_ids.tolist() == list("abcdef")


def test_sizes_may_differ_and_nan_is_sky(tmp_path, pixels):
    big = np.pad(pixels[0], 100)
    big[:20] = np.nan
    np.save(tmp_path / "big.npy", big)
    np.save(tmp_path / "small.npy", pixels[1][20:70, 20:75])
    (tmp_path / "t.csv").write_text("id,file\nbig,big.npy\nsmall,small.npy\n")
    found = datasets.load(tmp_path / "t.csv", width=180.0)
    assert found.images.shape == (2, 1, 100, 100)
    assert (found.images[1, 0, :20] == 0).all()


def test_splits_and_positions_of_the_table(folder):
    text = "id,file,ra,dec,split\n1,e.npy,12:30:00,-00:30:00,train\n2,f.png,0:0:1,+00:00:01,test\n"
    (folder / "s.csv").write_text(text)
    found = datasets.load(folder / "s.csv")
    assert found.positions.dec.deg == pytest.approx([-0.5, 1 / 3600])
    assert found.positions.ra.deg[0] == pytest.approx(187.5)
    assert datasets.load(folder / "s.csv", split="test").source_ids.tolist() == ["2"]
    with pytest.raises(ConfigError, match="no 'validation' rows"):
        datasets.load(folder / "s.csv", split="validation")


def truncated(folder):
    content = (folder / "a.fits").read_bytes()
    (folder / "bad.fits").write_bytes(content[: len(content) // 2])


def all_nan(folder):
    fits.PrimaryHDU(np.full((20, 20), np.nan, np.float32)).writeto(folder / "bad.fits")


def zero_size(folder):
    fits.PrimaryHDU().writeto(folder / "bad.fits")


def cube(folder):
    fits.PrimaryHDU(np.ones((3, 20, 20), np.float32)).writeto(folder / "bad.fits")


def empty_file(folder):
    (folder / "bad.fits").write_bytes(b"")


def not_fits(folder):
    (folder / "bad.fits").write_text("404 not found")


def constant(folder):
    fits.PrimaryHDU(np.ones((20, 20), np.float32)).writeto(folder / "bad.fits")


def absent(folder):
    pass


SPOILERS = {
    truncated: "truncated or not FITS",
    all_nan: "every pixel is blank",
    zero_size: "no image",
    cube: "3×20×20; give one plane",
    empty_file: "truncated or not FITS",
    not_fits: "truncated or not FITS",
    constant: "every pixel is 1",
    absent: "no such file",
}


@pytest.mark.parametrize("spoil", SPOILERS, ids=lambda one: one.__name__)
def test_a_bad_file_is_named_with_a_remedy(folder, spoil):
    spoil(folder)
    (folder / "t.csv").write_text("id,file\ngood,a.fits\nbad,bad.fits\n")
    with pytest.raises(DataError, match=r"bad.*" + SPOILERS[spoil]) as caught:
        datasets.load(folder / "t.csv")
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,picture\n1,a.fits\n", "no file column"),
        ("file\na.fits\n", "no id column"),
        ("id,file\n1,a.fits\n1,e.npy\n", "id 1 occurs 2 times"),
        ("id,file\n,a.fits\n2,e.npy\n", "row 1 has no id"),
        ("id,file,split\n1,a.fits,dev\n", "unknown split 'dev'"),
        (
            "id,file,ra,dec\n1,a.fits,abc,def\n",
            "row 1, column ra: cannot be read as an angle, 'abc'",
        ),
        ("", "mine.csv"),
    ],
)
def test_a_bad_table_is_named_with_a_remedy(folder, text, message):
    (folder / "mine.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        datasets.load(folder / "mine.csv")


def test_an_unknown_label_is_named(folder):
    (folder / "t.csv").write_text("id,file,label\n1,a.fits,FRI\n2,e.npy,FR1\n")
    with pytest.raises(DataError, match="row 2, column label: unknown label 'FR1'"):
        datasets.load(folder / "t.csv", class_names=("FRI", "FRII"))


def test_mixed_pixel_scales_are_refused(folder, pixels):
    fits.PrimaryHDU(pixels[0], wcs_header(10, 10, 90, scale=15)).writeto(folder / "nvss.fits")
    (folder / "t.csv").write_text("id,file\n1,a.fits\n2,nvss.fits\n")
    with pytest.raises(DataError, match=r"pixel scales run from 1\.80″ to 15\.00″"):
        datasets.load(folder / "t.csv")


def test_a_pickle_is_not_loaded(folder):
    np.save(folder / "evil.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (folder / "t.csv").write_text("id,file\n1,evil.npy\n")
    with pytest.raises(DataError, match=r"evil\.npy"):
        datasets.load(folder / "t.csv")


def test_an_empty_folder_and_no_such_set(tmp_path):
    with pytest.raises(DataError, match="holds no image"):
        datasets.load(tmp_path)
    with pytest.raises(ConfigError, match="no set, table or folder 'nothing'"):
        datasets.load("nothing")
