from dataclasses import replace

import numpy as np
import pytest
import torch
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st

from skylobe.core.errors import ConfigError, DataError
from skylobe.core.table_writing import write_table
from skylobe.sky.rendering.components import Components, read_components
from skylobe.sky.rendering.ellipses import areas_of, axes_of, moments_of
from skylobe.sky.rendering.layouts import LAYOUTS, CatalogueColumn, ComponentLayout, first_beam
from skylobe.sky.rendering.render import FieldRenderer, RenderConfig

BEAM = (5.4, 5.4, 0.0)
SKY = (np.array([180.0, 180.003, 179.995]), np.array([30.0, 30.002, 29.998]))
PEAK, RMS = np.array([10.0, 5.0, 2.0]), np.array([0.15, 0.14, 0.16])  # mJy/beam
SIZES = np.array([[8.0, 0.0, 12.0], [3.0, 0.0, 4.0], [30.0, 0.0, 120.0]])  # arcsec, arcsec, degrees
CONVOLVED = np.array(axes_of(moments_of(*SIZES) + moments_of(*BEAM)))
FLUX = PEAK * areas_of(moments_of(*CONVOLVED)) / areas_of(moments_of(*BEAM))  # mJy
TABLES = {
    "first": {
        **dict(zip(("ra", "dec"), SKY, strict=True)),
        **{"peak_flux_mjy": PEAK, "int_flux_mjy": FLUX, "rms_mjy": RMS},
        **dict(zip(("maj_arcsec", "min_arcsec", "pa_deg"), SIZES, strict=True)),
    },
    "pybdsf": {
        **dict(zip(("RA", "DEC"), SKY, strict=True)),
        **{"Peak_flux": PEAK / 1e3, "Total_flux": FLUX / 1e3, "Isl_rms": RMS / 1e3},
        **{"DC_Maj": SIZES[0] / 3600, "DC_Min": SIZES[1] / 3600, "DC_PA": SIZES[2]},
    },
    "aegean": {
        **dict(zip(("ra", "dec"), SKY, strict=True)),
        **{"peak_flux": PEAK / 1e3, "int_flux": FLUX / 1e3, "local_rms": RMS / 1e3},
        **dict(zip(("a", "b", "pa"), CONVOLVED, strict=True)),
        **{"psf_a": [5.4] * 3, "psf_b": [5.4] * 3, "psf_pa": [0.0] * 3},
    },
    "selavy": {
        **dict(zip(("ra_deg_cont", "dec_deg_cont"), SKY, strict=True)),
        **{"flux_peak": PEAK, "flux_int": FLUX, "rms_image": RMS},
        **dict(zip(("maj_axis_deconv", "min_axis_deconv", "pos_ang_deconv"), SIZES, strict=True)),
    },
}


def picture(parts: Components) -> np.ndarray:
    renderer = FieldRenderer(parts, RenderConfig(100, noise=None))
    return renderer.render(SkyCoord([180.0], [30.0], unit="deg"), torch.Generator())[0].numpy()


def written(folder, columns, name="table.csv"):
    Table(columns).write(folder / name, overwrite=True)
    return folder / name


@pytest.fixture
def expected(tmp_path) -> np.ndarray:
    return picture(read_components(written(tmp_path, TABLES["first"], "first.csv")))


@pytest.mark.parametrize("ending", ["csv", "fits", "vot"])
@pytest.mark.parametrize("layout", ["pybdsf", "aegean", "selavy"])
def test_every_layout_leads_to_the_same_picture(tmp_path, expected, layout, ending):
    if ending == "vot":
        write_table(Table(TABLES[layout]), tmp_path / "table.vot", "votable")
    path = tmp_path / "table.vot" if ending == "vot" else None
    path = path or written(tmp_path, TABLES[layout], f"table.{ending}")
    parts = read_components(path, layout, beam=None if layout == "aegean" else BEAM)
    np.testing.assert_allclose(picture(parts), expected, atol=1e-4 * expected.max())
    np.testing.assert_allclose(parts.rms, RMS / 1e3)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_peak_can_come_from_the_integrated_flux(tmp_path, expected, layout):
    parts = read_components(
        written(tmp_path, TABLES[layout]), replace(LAYOUTS[layout], peak=None), beam=BEAM
    )
    np.testing.assert_allclose(picture(parts), expected, atol=1e-4 * expected.max())


def test_units_of_the_table_win_over_the_layout_s(tmp_path, expected):
    table = Table(TABLES["first"])
    table["ra"] = (table["ra"] / 15) * u.hourangle
    table["dec"] = table["dec"] * 60 * u.arcmin
    table["peak_flux_mjy"] = (table["peak_flux_mjy"] * 1e3) * u.uJy / u.beam
    table["maj_arcsec"] = (table["maj_arcsec"] / 3600) * u.deg
    table["pa_deg"] = np.radians(table["pa_deg"]) * u.rad
    table.write(tmp_path / "units.ecsv")
    parts = read_components(tmp_path / "units.ecsv")
    np.testing.assert_allclose(picture(parts), expected, atol=1e-5 * expected.max())


def test_a_layout_of_one_s_own(tmp_path, expected):
    columns = {"x": SKY[0], "y": SKY[1], "s": FLUX, "a": SIZES[0], "b": SIZES[1], "t": SIZES[2]}
    layout = ComponentLayout(
        ra=CatalogueColumn("x", "deg"),
        dec=CatalogueColumn("y", "deg"),
        rms=None,
        major=CatalogueColumn("a", "arcsec"),
        minor=CatalogueColumn("b", "arcsec"),
        angle=CatalogueColumn("t", "deg"),
        is_deconvolved=True,
        integrated=CatalogueColumn("s", "mJy"),
        beam=BEAM,
    )
    parts = read_components(written(tmp_path, columns), layout)
    np.testing.assert_allclose(picture(parts), expected, atol=1e-5 * expected.max())
    assert np.isnan(parts.rms).all()


@given(
    major=st.floats(0, 60),
    ratio=st.floats(0, 1),
    angle=st.floats(0, 180),
    beam=st.tuples(st.floats(1, 30), st.floats(0.3, 1), st.floats(0, 180)),
)
def test_deconvolving_undoes_convolving(major, ratio, angle, beam):
    source = moments_of(major, major * ratio, angle)
    kernel = moments_of(beam[0], beam[0] * beam[1], beam[2])
    again = moments_of(*axes_of(moments_of(*axes_of(source + kernel)) - kernel))
    np.testing.assert_allclose(again, source, atol=1e-9 * (beam[0] + major) ** 2)


def test_a_component_narrower_than_the_beam_is_a_point():
    major, minor, _ = axes_of(moments_of(5.0, 4.0, 20.0) - moments_of(*BEAM))
    assert major == minor == 0


@given(st.floats(0.1, 50), st.floats(0.1, 1), st.floats(1, 179))
def test_axes_are_those_of_the_moments(major, ratio, angle):
    found = axes_of(moments_of(major, major * ratio, angle))
    assert found[:2] == pytest.approx((major, major * ratio), rel=1e-6, abs=1e-5)
    if ratio < 0.95:
        assert found[2] == pytest.approx(angle, abs=1e-4)


def test_a_missing_column_is_named_with_those_there_are(tmp_path):
    columns = dict(TABLES["first"])
    del columns["rms_mjy"]
    with pytest.raises(
        DataError, match=r"no column rms_mjy.*the columns are ra, dec, peak_flux_mjy"
    ):
        read_components(written(tmp_path, columns))


def test_a_beam_that_nobody_says_is_asked_for(tmp_path):
    with pytest.raises(ConfigError, match="give beam="):
        read_components(written(tmp_path, TABLES["pybdsf"]), "pybdsf")


def test_an_unknown_layout_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="choose first, pybdsf, aegean, selavy"):
        read_components(written(tmp_path, TABLES["first"]), "sextractor")


def test_gaps_are_counted_not_drawn(tmp_path):
    columns = TABLES["first"] | {"maj_arcsec": np.array([8.0, np.nan, 12.0])}
    with pytest.raises(DataError, match=r"1 of 3 components.*row 2"):
        read_components(written(tmp_path, columns))


def test_a_strange_unit_is_refused(tmp_path):
    table = Table(TABLES["first"])
    table["maj_arcsec"].unit = u.Jy
    table.write(tmp_path / "odd.ecsv")
    with pytest.raises(DataError, match="maj_arcsec"):
        read_components(tmp_path / "odd.ecsv")


def test_columns_of_different_length_are_refused():
    with pytest.raises(DataError, match="differ in length"):
        Components(*(np.zeros(n) for n in (2, 2, 2, 2, 2, 2, 3)))
    with pytest.raises(DataError, match="beam"):
        Components(*(np.zeros(2) for _ in range(7)), beam=np.ones((3, 3)))


def test_the_beam_of_first_is_the_one_its_fluxes_were_measured_with(mirror):
    """Integrated over peak flux of a well resolved component is the ratio of the areas."""
    from skylobe.core.tables import read_catalogue

    table = read_catalogue(mirror / "first" / "first_catalogue.parquet")
    major, minor, bright = (
        table[name].numbers() for name in ("maj_arcsec", "min_arcsec", "peak_flux_mjy")
    )
    large = (major > 8) & (minor > 3) & (bright > 3)
    ra, dec, peak, flux, *sizes = (
        table[name].numbers()[large]
        for name in (
            "ra",
            "dec",
            "peak_flux_mjy",
            "int_flux_mjy",
            "maj_arcsec",
            "min_arcsec",
            "pa_deg",
        )
    )
    beam = moments_of(*first_beam(ra, dec).T)
    ratio = flux / peak * areas_of(beam) / areas_of(moments_of(*sizes) + beam)
    assert len(ratio) > 20_000
    assert (np.abs(ratio - 1) < 0.01).mean() > 0.99
