"""Pictures and arrays: what is transparent, turned, deep or of half precision."""

import io
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from skylobe.core.errors import DataError
from skylobe.images.files import decode, read_image
from skylobe.images.normalise import normalise
from skylobe.sky.background import noise_level

GREY = (np.add.outer(np.arange(8), 3 * np.arange(12)) * 5).astype(np.uint8)


def as_png(picture: Image.Image, **options: object) -> io.BytesIO:
    file = io.BytesIO()
    picture.save(file, "PNG", **options)
    file.seek(0)
    return file


def read(file: io.BytesIO, name: str = "a.png") -> np.ndarray:
    return decode(file, name).pixels[::-1]  # the first row of a picture is its upper edge


def with_alpha(mode: str) -> Image.Image:
    """The upper half clear, over white; the lower half as it is."""
    alpha = np.full(GREY.shape, 255, np.uint8)
    alpha[:4] = 0
    shown = np.where(alpha == 0, 255, GREY).astype(np.uint8)
    layers = [shown, alpha] if mode == "LA" else [shown] * 3 + [alpha]
    return Image.fromarray(np.dstack(layers), mode)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_what_is_transparent_is_dark(mode: str):
    found = read(as_png(with_alpha(mode)))
    assert (found[:4] == 0).all()
    np.testing.assert_allclose(found[4:], GREY[4:], atol=1)


def test_half_transparent_is_half_as_bright():
    layers = np.dstack([np.full((4, 4), 200, np.uint8), np.full((4, 4), 128, np.uint8)])
    layers[0, 0] = (255, 255)
    found = read(as_png(Image.fromarray(layers, "LA")))
    assert found[2, 2] == pytest.approx(200 * 128 / 255)


def test_a_transparent_colour_is_dark():
    picture = Image.fromarray(GREY, "L")
    clear = int(GREY[7, 11])
    found = read(as_png(picture, transparency=clear))
    np.testing.assert_array_equal(found, np.where(clear == GREY, 0, GREY))
    palette = Image.fromarray(GREY, "L").convert("P")
    found = read(as_png(palette, transparency=clear))
    np.testing.assert_allclose(found, np.where(clear == GREY, 0, GREY), atol=1)
    deep = (GREY.astype(np.uint16) * 200).astype(np.uint16)
    found = read(as_png(Image.fromarray(deep), transparency=int(deep[7, 11])))
    np.testing.assert_array_equal(found, np.where(deep == deep[7, 11], 0, deep))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_camera_s_turn_is_undone(orientation: int):
    """The eight ways of EXIF, each undone by hand."""
    turned = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.T,
        6: lambda a: np.rot90(a),
        7: lambda a: np.rot90(a, 2).T,
        8: lambda a: np.rot90(a, -1),
    }[orientation](GREY)
    picture = Image.fromarray(np.ascontiguousarray(turned), "L")
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(read(as_png(picture, exif=exif)), GREY)


def test_deep_pictures_keep_their_depth():
    deep = (np.arange(96).reshape(8, 12) * 600).astype(np.uint16)
    np.testing.assert_array_equal(read(as_png(Image.fromarray(deep))), deep)


@pytest.mark.parametrize("unit", [1.0, 1e6])
def test_half_precision_is_measured_in_single(unit: float, tmp_path: Path):
    rng = np.random.default_rng(0)
    row, column = np.mgrid[:150, :150] - 74.5
    pixels = (5e-2 * np.exp(-(row**2 + column**2) / 8) + rng.normal(0, 1e-4, (150, 150))) * unit
    half = pixels.astype(np.float16)
    np.save(tmp_path / "half.npy", half)
    found = read_image(tmp_path / "half.npy").pixels
    np.testing.assert_array_equal(found, half.astype(np.float32))
    assert noise_level(half) == pytest.approx(1e-4 * unit, rel=0.05)
    np.testing.assert_array_equal(normalise(half), normalise(half.astype(np.float32)))


@pytest.mark.parametrize(
    ("shape", "message"),
    [((2000, 2000), "truncated"), ((10**6,) * 2, "larger"), ((-1, 4), "damaged")],
)
def test_an_array_that_claims_more_than_its_file_holds_takes_no_memory(
    tmp_path, monkeypatch, shape, message
):
    monkeypatch.setattr(np, "load", lambda *given, **named: 1 / 0)
    path = tmp_path / "a.npy"
    with path.open("wb") as file:
        head = {"descr": "<f8", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_2_0(file, head)
        file.write(bytes(80))
    with pytest.raises(DataError, match=message):
        read_image(path)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 200), st.integers(0, 255), st.integers(0, 700))
def test_a_damaged_array_is_refused_or_read(tmp_path_factory, at, byte, length):
    file = io.BytesIO()
    np.save(file, np.random.default_rng(0).normal(size=(8, 8)))
    data = bytearray(file.getvalue())
    data[at] = byte
    path = tmp_path_factory.getbasetemp() / "damaged.npy"
    path.write_bytes(data[:length])
    with suppress(DataError):
        read_image(path)
