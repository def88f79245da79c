import numpy as np
import pytest
import torch

from skylobe.images.privileged import component_quantities, describe, targets
from skylobe.sky.rendering.groups import Groups


def group(places, flux=None, sigma=3.0):
    """One source of round components, places in arcsec."""
    n = len(places)
    flux = torch.ones(n) if flux is None else torch.tensor(flux)
    moments = torch.tensor([sigma**2, sigma**2, 0.0]).repeat(n, 1)
    starts = torch.tensor([0, n])
    return Groups(starts, torch.tensor(places), flux, moments, np.zeros(1), np.zeros(1))


def quantities(*arguments, **options):
    return component_quantities(group(*arguments, **options), torch.tensor([0]))[0]


def test_quantities_do_not_depend_on_how_the_source_lies():
    places = [[0.0, 0.0], [30.0, 5.0], [-25.0, -10.0]]
    turned = [[-y, x] for x, y in places]
    mirrored = [[-x, y] for x, y in places]
    flux = [1.0, 2.0, 0.7]
    wanted = quantities(places, flux)
    assert torch.allclose(quantities(turned, flux), wanted, atol=1e-4)
    assert torch.allclose(quantities(mirrored, flux), wanted, atol=1e-4)


def test_a_bent_source_is_bent_and_a_straight_one_is_not():
    straight = quantities([[0.0, 0.0], [30.0, 0.0], [-30.0, 0.0]])
    bent = quantities([[0.0, 0.0], [30.0, 10.0], [-30.0, 10.0]])
    assert straight[-1] == pytest.approx(0, abs=1e-4)
    assert bent[-1] > 0.1


def test_what_cannot_be_seen_does_not_count():
    alone = quantities([[0.0, 0.0], [20.0, 0.0]])
    with_others = quantities(
        [[0.0, 0.0], [20.0, 0.0], [100.0, 0.0], [5.0, 5.0]], [1.0, 1.0, 9.0, 1e-3]
    )
    assert torch.allclose(alone, with_others, atol=1e-3)


def test_targets_are_finite_standard_and_kept():
    generator = torch.Generator().manual_seed(0)
    counts = torch.randint(1, 5, (40,), generator=generator)
    n = int(counts.sum())
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    places = 15 * torch.randn(n, 2, generator=generator)
    moments = torch.tensor([4.0, 9.0, 0.0]).repeat(n, 1)
    groups = Groups(starts, places, torch.ones(n), moments, np.zeros(40), np.zeros(40))
    raw = describe(groups, torch.arange(40))
    found = targets(groups, "test")[0]
    assert raw.shape == found.shape == (40, 149 + 18)
    assert torch.isfinite(found).all()
    assert float(found.mean(0).abs().max()) < 0.3
    assert found.abs().max() <= 5
    assert torch.equal(targets(groups, "test")[0], found)
    several = targets(groups, "test", (1.0, 2.0))
    size = 149 + 12  # log of the extent: through twice the angle a source is half as large
    assert float((several[0] - several[1])[:, size].mean()) > 0.3
