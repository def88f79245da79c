"""One angle and one scaling at every door: files, cut-outs and arrays of any pixel scale and parity."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from conftest import lobes
from skylobe.classify.adapt import adapt
from skylobe.classify.classifier import describe
from skylobe.classify.finetune import finetune
from skylobe.classify.predict import predict_files as predict
from skylobe.classify.predictions import predict as classify
from skylobe.classify.settings import PredictSettings
from skylobe.core.errors import ConfigError, DataError
from skylobe.images import datasets
from skylobe.images.cutting import fitted, normalised, width_in_pixels
from skylobe.images.files import ImageFile
from skylobe.images.image_set import ImageSet, concatenate
from skylobe.images.normalise import normalise
from skylobe.images.scaling import ScalingConfig
from skylobe.learning.tuning_settings import FinetuneConfig
from skylobe.models.embed import embed
from skylobe.models.encoder import build_encoder
from skylobe.models.model import Model
from skylobe.models.prepare import corpus_grid, prepare
from skylobe.models.settings import EncoderConfig, Preprocessing
from skylobe.search.queries import Doors, as_image_set
from skylobe.search.rows import thumbnails
from skylobe.search.similarity import search
from skylobe.search.store import SourceIndex
from skylobe.sky.cutout import Cutout, sky_wcs
from skylobe.sky.cutouts import cutout

HERE = SkyCoord(206.42, 23.38, unit="deg")
ASINH = ScalingConfig("asinh")


def model(scaling: ScalingConfig | None = None, *, name: str = "toy") -> Model:
    grid = Preprocessing(
        crop_pix=32, pixel_scale=126 / 32, mean=0.02, std=0.1, scaling=scaling or ScalingConfig()
    )
    config = EncoderConfig(stem="fast", width=8)
    return Model(name, build_encoder(config).eval(), grid)


def sky(scale: float, width: int, *, noise: float = 1e-4, neighbour: float = 0.0) -> np.ndarray:
    """A double of 60″ in a beam of 20″; a neighbour 18′ to the north, if it is bright enough to show."""
    north, west = (np.mgrid[:width, :width] - (width - 1) / 2) * scale
    pixels = np.random.default_rng(0).normal(0, noise, (width, width))
    for x, y, peak in ((-30, 10, 0.05), (30, -10, 0.03), (0, 18 * 60, neighbour)):
        pixels += peak * np.exp(-4 * np.log(2) * ((west - x) ** 2 + (north - y) ** 2) / 20**2)
    return pixels.astype(np.float32)


def write(path: Path, pixels: np.ndarray, scale: float | None) -> Path:
    header = None if scale is None else sky_wcs(HERE, scale, pixels.shape).to_header()
    fits.PrimaryHDU(pixels, header).writeto(path)
    return path


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


@given(
    scale=st.floats(0.3, 60), length=st.integers(10, 2000), width=st.sampled_from([126.0, 270.0])
)
def test_a_width_is_the_angle_and_centred_as_the_image_is(scale: float, length: int, width: float):
    found = width_in_pixels([(length, length)], scale, width)
    assert (found - length) % 2 == 0
    assert abs(found * scale - width) <= 1.001 * scale or found <= 3


def test_the_usual_width_is_that_of_the_published_images():
    assert width_in_pixels([(300, 300)], 1.8) == 150
    assert width_in_pixels([(300, 300)], None) == 150
    assert width_in_pixels([(301, 301)], 1.8) == 151
    assert width_in_pixels([(300, 300), (301, 301)], 1.8) == 150
    assert width_in_pixels([(150, 150)], 15.0) == 18
    with pytest.raises(ConfigError, match="less than two pixels of 200″"):
        width_in_pixels([(10, 10)], 200.0)


def test_a_neighbour_far_away_does_not_set_the_scale(tmp_path: Path):
    """37.5′ at 15″: twenty times as bright, 18′ away; the image is that without it."""
    for name, neighbour in (("alone", 0.0), ("beside", 1.0)):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "a.fits", sky(15.0, 150, neighbour=neighbour), 15.0)
    alone, beside = (datasets.load(tmp_path / name) for name in ("alone", "beside"))
    assert beside.images.shape == (1, 1, 18, 18)
    assert int((alone.images.int() - beside.images.int()).abs().max()) <= 3
    assert beside.images.max() == 255


@pytest.mark.parametrize("scale", [0.6, 1.0, 3.0])
def test_one_sky_is_one_image_at_any_pixel_scale(tmp_path: Path, scale: float):
    """All of 270″ is kept, and the encoder sees what it sees at 1.8″."""
    seen = []
    for one in (1.8, scale):
        folder = tmp_path / f"{one:g}"
        folder.mkdir()
        write(folder / "a.fits", sky(one, 2 * round(300 / one / 2), noise=1e-5), one)
        found = datasets.load(folder)
        assert found.images.shape[-1] * one == pytest.approx(270, abs=one)
        seen.append(prepare(found.images, model().preprocessing, pixel_scale=found.pixel_scale))
    assert likeness(seen[0].flatten().numpy(), seen[1].flatten().numpy()) > 0.999


def test_every_door_sees_the_same_image(tmp_path: Path):
    """Table, folder, prediction, query by file, similarity: 15″ pixels with a neighbour 18′ away."""
    path = write(tmp_path / "a.fits", sky(15.0, 150, neighbour=1.0), 15.0)
    (tmp_path / "t.csv").write_text("id,file\na,a.fits\n")
    toy = model()
    expected = normalise(sky(15.0, 150, neighbour=1.0), width_pix=18)
    for found in (datasets.load(tmp_path / "t.csv"), datasets.load(tmp_path)):
        np.testing.assert_array_equal(found.images[0, 0], expected)
    own = datasets.load(tmp_path / "t.csv")
    index = SourceIndex.create(tmp_path / "index", own, embed(toy, own), toy)
    query = Doors(index, lambda: toy).query(str(path))
    assert likeness(query.vector, index.vectors(np.array([0]))[0]) > 1 - 1e-6
    np.testing.assert_array_equal(query.images, index.thumbnails(np.array([0])))
    assert search(own, embed(toy, own), str(path), toy).neighbours.similarity[0, 0] > 1 - 1e-6
    cutout = Cutout(sky(15.0, 150, neighbour=1.0), HERE, 15.0)
    np.testing.assert_array_equal(as_image_set(cutout, toy).images[0, 0], expected)


def test_a_small_cut_out_is_scaled_over_what_it_has():
    assert as_image_set(Cutout(sky(1.8, 100), HERE, 1.8), model()).images.shape == (1, 1, 100, 100)


@pytest.mark.parametrize("size", [(151, 151), (150, 151), (151, 150), (99, 99), (141, 200)])
@pytest.mark.parametrize("crop", [32, 70])
def test_the_centre_of_the_file_is_the_centre_the_encoder_sees(
    tmp_path: Path, size: tuple[int, int], crop: int
):
    """The image of an odd number of pixels is that of an even number, not half a pixel beside it."""
    row, column = (np.arange(n) - (n - 1) / 2 for n in size)
    x, y = column[None] * 1.8, row[:, None] * 1.8
    pixels = 0.05 * np.exp(-((x + 4) ** 2 + (y - 7) ** 2) / 60)
    noise = np.random.default_rng(0).normal(0, 1e-6, size)
    write(tmp_path / "a.fits", (pixels + noise).astype(np.float32), 1.8)
    found = datasets.load(tmp_path, scaling=ScalingConfig(circular=False, quantise=False))
    grid = Preprocessing(crop_pix=crop, pixel_scale=126 / crop)
    seen = prepare(found.images, grid, pixel_scale=1.8)[0, 0].double().numpy()
    place = (np.arange(crop) - (crop - 1) / 2) * 126 / crop
    total = seen.sum()
    assert (seen.sum(0) @ place) / total == pytest.approx(-4, abs=0.05)
    assert (seen.sum(1) @ place) / total == pytest.approx(7, abs=0.05)


def test_moving_by_half_a_pixel_keeps_the_peak():
    """A source of FIRST's beam at the middle of 151 pixels, seen in 70 of them."""
    row, column = np.mgrid[:151, :151] - 75.0
    image = np.exp(-4 * np.log(2) * (row**2 + column**2) / 3**2).astype(np.float32)
    seen = prepare(torch.from_numpy(image)[None, None], Preprocessing(), pixel_scale=1.8)[0, 0]
    at = np.abs(np.arange(70) - 34.5)
    expected = np.exp(-4 * np.log(2) * (at[:, None] ** 2 + at[None] ** 2) / 9)
    np.testing.assert_allclose(seen, expected, atol=0.006)


def test_equal_parity_is_cut_to_the_bit():
    image = torch.randint(0, 256, (2, 1, 150, 150), dtype=torch.uint8)
    seen = prepare(image, Preprocessing(), pixel_scale=1.8)
    assert torch.equal(seen, image[:, :, 40:110, 40:110].float() / 255)


def arrays(n: int = 3) -> np.ndarray:
    return np.stack([sky(1.8, 150 + 2 * n)] * n) * np.arange(1, n + 1)[:, None, None]


@pytest.mark.parametrize("kind", ["f4", ">f4", "f8", ">f8", "f2"])
def test_arrays_of_physical_pixels_are_normalised_as_files_are(tmp_path: Path, kind: str):
    pixels = arrays().astype(kind)
    image_set = ImageSet("mine", pixels, np.array(["a", "b", "c"]), pixel_scale=1.8)
    assert image_set.is_physical
    for number, one in enumerate(pixels):
        write(tmp_path / f"{number}.fits", one.astype(np.float32), 1.8)
    toy, files = model(), datasets.load(tmp_path)
    assert torch.equal(fitted(image_set, ScalingConfig()).images, files.images)
    np.testing.assert_array_equal(embed(toy, image_set).vectors, embed(toy, files).vectors)
    np.testing.assert_array_equal(thumbnails(image_set), thumbnails(files))
    one, other = (describe(toy, each, n_views=1, with_measures=True) for each in (image_set, files))
    np.testing.assert_array_equal(one, other)


def test_blank_pixels_of_an_array_are_sky(tmp_path: Path):
    pixels = arrays(1)
    pixels[:, :30] = np.nan
    blank = ImageSet("mine", pixels, np.array(["a"]), pixel_scale=1.8)
    expected = normalise(pixels[0], width_pix=150)
    np.testing.assert_array_equal(fitted(blank, ScalingConfig()).images[0, 0], expected)
    with pytest.raises(DataError, match=r"every pixel is blank"):
        embed(model(), replace(blank, images=torch.full((1, 1, 20, 20), torch.nan)))


def test_physical_pixels_without_a_scale_are_refused():
    image_set = ImageSet("mine", arrays(), np.array(["a", "b", "c"]))
    unscaled = {"images": image_set.images, "pixel_scale": None, "physical": True}
    for use in (
        lambda: embed(model(), image_set),
        lambda: thumbnails(image_set),
        lambda: adapt(model(), replace(lobes(3), **unscaled)),
    ):
        with pytest.raises(DataError, match=r"they are physical.*give pixel_scale"):
            use()


@pytest.mark.parametrize(
    ("values", "physical"),
    [
        (np.array([0.0, 0.3, 1.0]), False),
        (np.array([0.0, 0.3, 0.9]), False),  # regridded
        (np.array([0.0, 0.0, 0.0]), False),  # blank, refused elsewhere
        (np.array([-0.001, 0.0, 1.0]) * 2, True),
        (np.array([0.0, 0.5, 255.0]), True),
        (np.array([0.0, 0.01, 0.05]), True),  # faint Jy/beam, clipped
        (np.array([-1e-4, 1e-4, 0.5]), True),  # bright Jy/beam over faint noise
        (np.array([0.0, np.nan, 1.0]), True),
        (np.array([0.0, np.inf, 1.0]), True),
    ],
)
def test_an_image_set_knows_what_its_pixels_are(values: np.ndarray, physical: bool):
    pixels = np.resize(values, (1, 3, 3)).astype(np.float32)
    image_set = ImageSet("mine", pixels, np.array(["a"]))
    assert image_set.is_physical == physical
    assert replace(image_set, physical=not physical).is_physical != physical


def test_an_image_set_takes_arrays_and_tensors_of_any_depth():
    ids = np.array(["a"])
    for dtype in (np.uint8, np.float32, np.float64, ">f4", np.uint16, bool):
        found = ImageSet("mine", np.ones((1, 4, 5), dtype), ids).images
        assert found.shape == (1, 1, 4, 5)
        assert found.dtype == (torch.uint8 if dtype is np.uint8 else torch.float32)
    assert (
        ImageSet("mine", torch.ones(1, 1, 4, 5, dtype=torch.float64), ids).images.dtype
        == torch.float32
    )
    with pytest.raises(DataError, match="must be uint8 or float32"):
        ImageSet("mine", torch.ones(1, 1, 4, 5, dtype=torch.int64), ids)


@pytest.mark.parametrize("peak", [0.05, 0.3, 0.9, 30.0])
def test_the_brightness_of_a_source_does_not_decide_what_its_pixels_are(peak: float):
    pixels = sky(1.8, 300) * peak / sky(1.8, 300).max()
    pixels += np.random.default_rng(0).normal(0, 1e-4, pixels.shape)
    image_set = ImageSet("mine", pixels[None], np.array(["a"]), pixel_scale=1.8)
    expected = normalise(pixels.astype(np.float32), width_pix=150)
    np.testing.assert_array_equal(fitted(image_set, ScalingConfig()).images[0, 0], expected)


@pytest.mark.parametrize(
    ("labels", "classes", "numbers"),
    [
        (["FRI", "N/A", " FRI "], ("FRI",), [0, -1, 0]),
        (np.ma.masked_array(["FRI", "FRII", "FRI"], mask=[0, 1, 0]), ("FRI",), [0, -1, 0]),
        (np.array([0, np.nan, 1]), ("0", "1"), [0, -1, 1]),
        (np.array([b"FRI", b"FRII", b""]), ("FRI", "FRII"), [0, 1, -1]),
        (pa.array(["FRI", None, "None"]), ("FRI", "None"), [0, -1, 1]),
        (pd.array([1, None, 0], dtype="Int64"), ("0", "1"), [1, -1, 0]),
        (pd.Categorical(["FRI", None, "FRI"]), ("FRI",), [0, -1, 0]),
        ([None, float("nan"), "FRI"], ("FRI",), [-1, -1, 0]),
    ],
    ids=range(8),
)
def test_labels_of_an_array_are_read_as_a_table_s(labels: Any, classes: Any, numbers: list[int]):
    found = datasets.load(arrays(), pixel_scale=1.8, labels=labels)
    assert (found.class_names, found.labels.tolist()) == (classes, numbers)


def test_names_and_places_of_an_array_are_read_as_a_table_s():
    def read(**more: Any) -> ImageSet:
        return datasets.load(arrays(), pixel_scale=1.8, **more)

    for names in (
        np.array([b"0007", b"8", b"9"]),
        ["0007 ", "8", "9"],
        pa.array(["0007", "8", "9"]),
    ):
        assert read(source_ids=names).source_ids.tolist() == ["0007", "8", "9"]
    assert read(source_ids=np.array([7.0, 8.0, 9.0])).source_ids.tolist() == ["7", "8", "9"]
    with pytest.raises(DataError, match=r"7\.5 is a decimal number"):
        read(source_ids=[7.5, 8.0, 9.0])
    with pytest.raises(DataError, match="image 2 has no source_id"):
        read(source_ids=["a", None, "c"])
    expected = SkyCoord(206.42, -0.5, unit="deg")
    for places in (
        [[206.42, -0.5]] * 3,
        np.radians([[206.42, -0.5]] * 3) * u.rad,
        [["13:45:40.8", "−00:30:00"]] * 3,
    ):
        assert read(positions=places).positions.separation(expected).arcsec.max() < 1e-3
    for places, column in (([[400, 10]] * 3, "ra"), ([[-3, 10]] * 3, "ra"), ([[3, 95]] * 3, "dec")):
        with pytest.raises(DataError, match=f"positions: row 1, column {column}"):
            read(positions=places)


@pytest.mark.parametrize("scale", [0, -1.8, np.nan, np.inf, np.float32(0), 0 * u.arcsec])
def test_a_pixel_scale_is_above_zero(tmp_path: Path, scale: Any):
    write(tmp_path / "a.fits", sky(1.8, 150), 1.8)
    for load in (
        lambda: datasets.load(arrays(), pixel_scale=scale),
        lambda: datasets.load(tmp_path, pixel_scale=scale),
        lambda: cutout("206.42 23.38", size=90, mosaics=tmp_path, pixel_scale=scale),
    ):
        with pytest.raises(ConfigError, match=r"pixel_scale is .*; give a number above 0"):
            load()
    assert datasets.load(tmp_path, pixel_scale=np.float32(2.5)).pixel_scale == 2.5


def test_half_a_brain_float_is_a_number_as_well():
    pixels = torch.from_numpy(arrays()).bfloat16()
    expected = datasets.load(pixels.float().numpy(), pixel_scale=1.8)
    assert torch.equal(datasets.load(pixels, pixel_scale=1.8).images, expected.images)


def test_images_that_hold_nan_are_refused():
    pixels = np.ones((2, 4, 4), np.float32)
    pixels[1, 0, 0] = np.nan
    image_set = ImageSet("mine", pixels, np.array(["a", "b"]), pixel_scale=1.8, physical=False)
    with pytest.raises(DataError, match=r"image 2 \(b\) holds NaN"):
        embed(model(), image_set)


def test_a_set_says_how_its_images_were_made(tmp_path: Path):
    write(tmp_path / "a.fits", sky(1.8, 150), 1.8)
    found = datasets.load(tmp_path, scaling=ASINH)
    assert (found.scaling, found.width, found.is_physical) == (ASINH, 270.0, False)
    assert found.select([0]).scaling == ASINH
    assert corpus_grid(found, 70, 32, None).scaling == ASINH
    for typed in ("asinh", {"method": "asinh"}):
        assert datasets.load(tmp_path, scaling=typed).scaling == ASINH
    with pytest.raises(ConfigError, match="clip or asinh or raw"):
        datasets.load(tmp_path, scaling="log")
    with pytest.raises(DataError, match="scaling"):
        concatenate([lobes(4), replace(lobes(4), scaling=ASINH)])


@pytest.mark.parametrize(
    "loaded", [ASINH, ScalingConfig(n_sigma=5.0), ScalingConfig(circular=False)]
)
def test_images_of_another_scaling_are_refused_wherever_a_model_looks(loaded: ScalingConfig):
    toy, other = model(), replace(lobes(12), scaling=loaded)
    uses = [
        lambda: embed(toy, other),
        lambda: adapt(toy, other),
        lambda: describe(toy, other, n_views=1, with_measures=True),
        lambda: finetune(toy, other, FinetuneConfig(n_blocks=0, epochs=1)),
        lambda: adapt(toy, lobes(12)).vectors(other),
    ]
    for use in uses:
        with pytest.raises(ConfigError, match=r"made with scaling .*model\.preprocessing\.scaling"):
            use()
    with pytest.raises(ConfigError, match="made with scaling"):
        embed(model(loaded), lobes(4))
    assert len(embed(model(loaded), other)) == 12


def test_images_scaled_over_another_angle_are_refused(tmp_path: Path):
    write(tmp_path / "a.fits", sky(1.8, 150), 1.8)
    with pytest.raises(ConfigError, match="scaled over 180″, and the model's over 270″"):
        embed(model(), datasets.load(tmp_path, width=180.0))


def test_more_levels_are_cut_to_those_of_the_model(tmp_path: Path):
    write(tmp_path / "a.fits", sky(1.8, 150), 1.8)
    deep = datasets.load(tmp_path, scaling=ScalingConfig(quantise=False))
    assert deep.images.dtype == torch.float32
    toy, plain = model(), datasets.load(tmp_path)
    np.testing.assert_array_equal(embed(toy, deep).vectors, embed(toy, plain).vectors)
    with pytest.raises(ConfigError, match="scaling quantise True"):
        embed(model(ScalingConfig(quantise=False)), plain)


def test_what_a_method_does_not_look_at_is_no_difference():
    unused = replace(lobes(4), scaling=ScalingConfig(softening=7.0))
    assert fitted(unused, ScalingConfig()) is unused


def test_files_are_read_with_the_classifier_s_scaling(tmp_path: Path):
    """Prediction and query give the vectors of the same files loaded with that scaling."""
    for number in range(12):
        pixels = sky(1.8, 150) + 0.01 * number * np.roll(sky(1.8, 150), number, 0)
        write(tmp_path / f"{number:02d}.fits", pixels, 1.8)
    toy, rows = model(ASINH), ["id,file,label"]
    rows += [f"{n},{n:02d}.fits,{'pq'[n % 2]}" for n in range(12)]
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    labelled = datasets.load(tmp_path / "t.csv", scaling=ASINH)
    classifier = adapt(toy, labelled)
    predict(classifier, tmp_path / "t.csv", tmp_path / "out.parquet")
    found = pq.read_table(tmp_path / "out.parquet")
    expected = classifier.probabilities(classifier.vectors(labelled))
    np.testing.assert_allclose(found["p_p"].to_numpy(), expected[:, 0], atol=1e-5)
    index = SourceIndex.create(tmp_path / "index", labelled, embed(toy, labelled), toy)
    query = Doors(index, lambda: toy).query(str(tmp_path / "03.fits"))
    assert likeness(query.vector, index.vectors(np.array([3]))[0]) > 1 - 1e-6
    assert not np.allclose(expected, adapt(model(), datasets.load(tmp_path / "t.csv")).probabilities(
        classifier.vectors(labelled)
    ))  # fmt: skip


def test_a_file_without_a_scale_says_so_in_its_row(tmp_path: Path):
    write(tmp_path / "a.fits", sky(1.8, 150), 1.8)
    write(tmp_path / "b.fits", sky(1.8, 150), None)
    classifier = adapt(model(), lobes(12))
    predict(classifier, tmp_path, tmp_path / "out.parquet")
    found = pq.read_table(tmp_path / "out.parquet").to_pydict()
    assert found["status"] == ["ok", "ok; no pixel scale, taken for 1.8″: give pixel_scale"]
    assert found["predicted"][0] == found["predicted"][1]
    summary = predict(
        classifier, tmp_path, tmp_path / "told.parquet", PredictSettings(pixel_scale=1.8)
    )
    assert summary.n_failed == 0
    assert pq.read_table(tmp_path / "told.parquet")["status"].to_pylist() == ["ok", "ok"]
    remarks = datasets.load(tmp_path).columns["remark"].tolist()
    assert remarks == ["", "no pixel scale: taken for 1.8″ per pixel"]
    assert "remark" not in datasets.load(tmp_path, pixel_scale=1.8).columns
    unscaled, scaled = (classify(classifier, arrays(), pixel_scale=one) for one in (None, 1.8))
    assert set(unscaled["status"]) == {f"ok; {remarks[1]}: give pixel_scale"}
    assert set(scaled["status"]) == {"ok"}


def test_pictures_are_images_already():
    pixels = np.zeros((40, 40), np.float32)
    pixels[10:20, 12:25] = 200.0
    image = normalised([ImageFile(pixels, is_physical=False)], np.array(["a"]), 40, ScalingConfig())
    np.testing.assert_allclose(image[0, 0], pixels / 200)
