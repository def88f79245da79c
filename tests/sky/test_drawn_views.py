"""Views that are drawn: the same sky as rendering shows, and nothing but seed and step decides."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from astropy.coordinates import SkyCoord

from skylobe.core.errors import ConfigError
from skylobe.images.normalise import normalise
from skylobe.images.scaling import ScalingConfig
from skylobe.models.prepare import prepare
from skylobe.models.settings import Preprocessing
from skylobe.sky.rendering.components import Components
from skylobe.sky.rendering.groups import gather
from skylobe.sky.rendering.render import FieldRenderer
from skylobe.sky.rendering.view_draws import at_span, draw, draw_pair
from skylobe.sky.rendering.view_grids import FIELD, FINE
from skylobe.sky.rendering.view_settings import PLAIN, DrawConfig
from skylobe.sky.rendering.views import Sketcher, beam_noise
from skylobe.sky.settings import RenderConfig

VIEW_PIX = 32
N_SOURCES = 24


def sky(seed=0):
    """Sources of one to six components, each source far from the others."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 7, N_SOURCES)
    of = np.repeat(np.arange(N_SOURCES), counts)
    ra, dec = 150.0 + np.arange(N_SOURCES) * 0.5, np.full(N_SOURCES, 30.0)
    n = len(of)
    major = rng.choice([0.0, 4.0, 9.0], n)
    found = Components(
        ra=ra[of] + rng.normal(0, 20, n) / 3600 / np.cos(np.radians(30)),
        dec=dec[of] + rng.normal(0, 20, n) / 3600,
        peak=10 ** rng.uniform(-2.5, -1.5, n),
        rms=np.full(n, 1.5e-4),
        major=major,
        minor=major * rng.uniform(0.3, 1, n),
        angle=rng.uniform(0, 180, n),
    )
    return found, ra, dec


def still(beam=5.4, maps=None, view_pix=VIEW_PIX):
    config = replace(PLAIN, sharp=(beam, beam), level=(1e-9, 1e-9), view_pix=view_pix)
    draws = draw(torch.zeros(N_SOURCES, dtype=torch.bool), config, torch.Generator())
    maps = torch.eye(2) if maps is None else maps
    return Sketcher_of(config), replace(draws, maps=maps.expand(N_SOURCES, 2, 2))


def Sketcher_of(config, **options):
    components, ra, dec = sky()
    return Sketcher(gather(components, ra, dec), config, **options)


def shown(sketcher, draws, seed=0):
    return sketcher.views(torch.arange(N_SOURCES), draws, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("view_pix", [32, 64])
@pytest.mark.parametrize(
    ("beam", "scale", "width"), [(5.4, 1.8, 150), (10.0, 1.8, 150), (45.0, 15.0, 18)]
)
def test_drawn_views_agree_with_the_resampled_picture_of_the_same_field(
    beam, scale, width, view_pix
):
    components, ra, dec = sky()
    config = RenderConfig(noise=None, beam=beam, pixel_scale=scale, width_pix=width)
    renderer = FieldRenderer(components, config)
    pictures = renderer.render(SkyCoord(ra, dec, unit="deg"), torch.Generator()).numpy()
    grid = Preprocessing(crop_pix=view_pix, pixel_scale=FIELD / view_pix)
    images = [normalise(one, ScalingConfig(n_sigma=0.0)) for one in pictures]
    wanted = prepare(torch.from_numpy(np.stack(images))[:, None], grid, pixel_scale=scale)
    views = shown(*still(beam, view_pix=view_pix))
    for one, other in zip(views.flatten(1), wanted.flatten(1), strict=True):
        assert np.corrcoef(one, other)[0, 1] > 0.99
    assert float(views.mean()) == pytest.approx(float(wanted.mean()), rel=0.03)


@pytest.mark.parametrize(
    ("span", "beam", "scale", "width"),
    [(0.7, 5.4, 1.8, 150), (1.5, 5.4, 1.8, 200), (2.0, 5.4, 1.8, 200), (2.0, 45.0, 15.0, 36)],
)
def test_other_angles_agree_with_the_resampled_picture(span, beam, scale, width):
    components, ra, dec = sky()
    config = RenderConfig(noise=None, beam=beam, pixel_scale=scale, width_pix=width)
    renderer = FieldRenderer(components, config)
    pictures = renderer.render(SkyCoord(ra, dec, unit="deg"), torch.Generator()).numpy()
    grid = Preprocessing(crop_pix=64, pixel_scale=span * FIELD / 64)
    images = [normalise(one, ScalingConfig(n_sigma=0.0)) for one in pictures]
    wanted = prepare(torch.from_numpy(np.stack(images))[:, None], grid, pixel_scale=scale)
    sketcher, draws = still(beam, view_pix=64)
    views = shown(sketcher, at_span(draws, torch.full((N_SOURCES,), span)))
    for one, other in zip(views.flatten(1), wanted.flatten(1), strict=True):
        assert np.corrcoef(one, other)[0, 1] > 0.99
    assert float(views.mean()) == pytest.approx(float(wanted.mean()), rel=0.1)


def test_turns_and_mirror_images_are_those_of_the_picture():
    views = shown(*still())
    # rows rise to the north, columns fall to the east: a quarter turn from north to east
    quarter = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    turned = shown(*still(maps=quarter))
    assert torch.allclose(turned, torch.rot90(views, -1, (2, 3)), atol=0.02)
    mirrored = shown(*still(maps=torch.tensor([[-1.0, 0.0], [0.0, 1.0]])))
    assert torch.allclose(mirrored, views.flip(3), atol=0.02)


def test_a_shift_moves_north_up_and_east_left():
    sketcher, draws = still()
    pixel = FIELD / VIEW_PIX
    moved = replace(draws, shift=torch.tensor([[2 * pixel, 3 * pixel]]).expand(N_SOURCES, 2))
    views, later = shown(sketcher, draws), shown(sketcher, moved)
    inner = views[:, :, 5:-5, 5:-5]
    assert torch.allclose(later[:, :, 8:-2, 3:-7], inner, atol=0.02)


def test_the_same_generator_draws_the_same_and_another_does_not():
    sketcher, config = Sketcher_of(DrawConfig()), DrawConfig()

    def pair(seed):
        generator = torch.Generator().manual_seed(seed)
        draws = draw_pair(N_SOURCES, config, generator)
        return [shown(sketcher, one, seed) for one in draws]

    one, other, third = pair(0), pair(0), pair(1)
    assert torch.equal(one[0], other[0])
    assert torch.equal(one[1], other[1])
    assert not torch.equal(one[0], one[1])
    assert not torch.equal(one[0], third[0])


def test_views_are_images():
    views = shown(
        Sketcher_of(DrawConfig()), draw_pair(N_SOURCES, DrawConfig(), torch.Generator())[0]
    )
    width = DrawConfig().view_pix
    assert views.shape == (N_SOURCES, 1, width, width)
    assert float(views.min()) == 0.0
    assert float(views.max()) <= 1.0
    assert (views.flatten(1).amax(1) > 0.05).all()  # the noise never hides a source


def test_beams_have_the_widths_that_were_asked_for():
    config = DrawConfig(coarse_both=0.5, coarse_one=0.0)
    draws = draw_pair(4000, config, torch.Generator().manual_seed(0))
    coarse = draws[0].width > config.sharp[1]
    assert torch.equal(coarse, draws[1].width > config.sharp[1])  # both or none
    assert float(coarse.float().mean()) == pytest.approx(0.5, abs=0.03)
    area = draws[0].beam[:, 0] * draws[0].beam[:, 1] - draws[0].beam[:, 2] ** 2
    assert torch.allclose(area**0.25 * 2.35482, draws[0].width, rtol=1e-3)
    assert float(draws[0].width.max()) <= config.coarse[1]


def test_noise_has_unit_variance_and_the_beam_s_correlation():
    beam = torch.tensor([[30.0, 30.0, 0.0]]).expand(400, 3)
    noise = beam_noise(beam, torch.Generator().manual_seed(0))
    assert float(noise.var()) == pytest.approx(1.0, abs=0.03)
    pixel = FINE
    neighbours = float((noise[:, :, 1:] * noise[:, :, :-1]).mean())
    assert neighbours == pytest.approx(np.exp(-(pixel**2) / (4 * 30.0)), abs=0.02)


def test_blank_sky_is_used_where_the_beam_suits_it():
    patches = torch.full((3, 72, 72), 40, dtype=torch.int8)
    config = replace(PLAIN, patch_share=1.0, level=(1.0, 1.0), least_contrast=1e-6)
    sketcher = Sketcher_of(config, patches=patches, patch_unit=20.0)
    draws = draw(torch.zeros(N_SOURCES, dtype=torch.bool), config, torch.Generator())
    assert draws.patches.all()
    noise = sketcher._noise(draws, torch.Generator())
    assert (noise == 2.0).all()
    wide = draw(torch.ones(N_SOURCES, dtype=torch.bool), config, torch.Generator())
    assert not wide.patches.any()


@pytest.mark.parametrize(
    "wrong",
    [
        {"zoom": (1.2, 0.8)},
        {"coarse_both": 0.8, "coarse_one": 0.5},
        {"patch_share": 2.0},
        {"view_pix": 65},
    ],
)
def test_impossible_draws_are_refused(wrong):
    with pytest.raises(ConfigError):
        DrawConfig(**wrong)
