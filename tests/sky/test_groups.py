import numpy as np
import pytest
import torch

from skylobe.sky.rendering.components import Components
from skylobe.sky.rendering.groups import Groups, clusters, enlarged, gather, unit_vectors


def components(ra, dec, **columns):
    """Components of 10 mJy/beam, unresolved unless columns say otherwise."""
    n = len(ra)
    rest = {"peak": 1e-2, "rms": 1.5e-4, "major": 0.0, "minor": 0.0, "angle": 0.0}
    rest = {name: np.broadcast_to(columns.get(name, value), n) for name, value in rest.items()}
    return Components(
        np.asarray(ra, float),
        np.asarray(dec, float),
        **{k: v.astype(float) for k, v in rest.items()},
    )


def at(east, north, ra=180.0, dec=30.0):
    """Give the position so many arcsec from another."""
    return ra + np.asarray(east) / 3600 / np.cos(np.radians(dec)), dec + np.asarray(north) / 3600


def test_components_within_reach_are_found_where_they_are():
    ra, dec = at([0.0, 30.0, -50.0, 170.0, 400.0], [0.0, 10.0, 20.0, 0.0, 0.0])
    found = gather(components(ra, dec), np.array([180.0, 10.0]), np.array([30.0, 0.0]))
    assert found.starts.tolist() == [0, 4, 4]
    _, rows = found.pairs(torch.tensor([0]))
    expected = [[0, 0], [30, 10], [-50, 20], [170, 0]]
    assert np.allclose(found.places[rows].numpy(), expected, atol=0.05)


def test_pairs_are_those_of_the_batch_in_its_order():
    ra, dec = at([0.0, 5.0], [0.0, 0.0])
    far_ra, far_dec = at([0.0, 5.0, 9.0], [0.0, 0.0, 0.0], ra=90.0)
    both = components(np.concatenate([ra, far_ra]), np.concatenate([dec, far_dec]))
    found = gather(both, np.array([180.0, 90.0]), np.array([30.0, 30.0]))
    batch, rows = found.pairs(torch.tensor([1, 0, 1]))
    assert batch.tolist() == [0, 0, 0, 1, 1, 2, 2, 2]
    assert rows.tolist() == [2, 3, 4, 0, 1, 2, 3, 4]


def test_flux_and_moments_are_the_catalogue_s():
    one = components([180.0], [30.0], major=10.8, minor=5.4, angle=90.0)
    found = gather(one, np.array([180.0]), np.array([30.0]))
    to_east, to_north, mixed = found.moments[0].tolist()
    assert to_east == pytest.approx(4 * to_north, rel=1e-4)  # the long axis points east
    assert mixed == pytest.approx(0, abs=1e-3)
    # integrated over peak is the ratio of areas with and without the source
    assert float(found.flux[0]) == pytest.approx(1e-2 * np.sqrt(5 * 2), rel=1e-4)


def test_selecting_joining_and_files_keep_everything(tmp_path):
    ra, dec = at([0.0, 5.0, 300.0], [0.0, 0.0, 0.0])
    found = gather(components(ra, dec), ra, dec)
    again = Groups.joined(
        found.select(np.array([True, False, False])), found.select(np.array([False, True, True]))
    )
    again.save(tmp_path / "groups.npz")
    read = Groups.load(tmp_path / "groups.npz")
    for name, value in vars(found).items():
        assert np.array_equal(np.asarray(value), np.asarray(getattr(read, name))), name


def test_enlarging_moves_and_widens_at_constant_flux():
    ra, dec = at([0.0, 5.0], [0.0, 0.0])
    found = gather(components(ra, dec, major=4.0, minor=4.0), ra[:1], dec[:1])
    larger = enlarged(found, np.array([3.0]))
    assert torch.allclose(larger.places, 3 * found.places)
    assert torch.allclose(larger.moments, 9 * found.moments)
    assert torch.equal(larger.flux, found.flux)


def test_friends_of_friends_are_one_cluster():
    ra, dec = at([0.0, 40.0, 80.0, 600.0], [0.0, 0.0, 0.0, 0.0])
    found = clusters(components(ra, dec, major=np.array([0.0, 0.0, 0.0, 12.0])), link=45.0)
    order = np.argsort(-found.members)
    assert found.members[order].tolist() == [3, 1]
    assert found.extent[order] == pytest.approx([80.0, 12.0], abs=0.1)
    centre = unit_vectors(*(axis[order][:1] for axis in (found.ra, found.dec)))
    assert np.allclose(centre, unit_vectors(*at([40.0], [0.0])), atol=1e-6)
