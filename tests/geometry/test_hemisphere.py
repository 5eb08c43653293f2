import pytest
import torch

from monai_cortex.geometry.graph import clenshaw
from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.geometry.healpix import antipode_index, healpix_directions, hemisphere_index
from monai_cortex.geometry.hemisphere import hemispheric_graph, spherical_graph

NSIDES = pytest.mark.parametrize("nside", [1, 2, 4, 8])
GRAPHS = pytest.mark.parametrize("build", [hemispheric_graph, spherical_graph])


@NSIDES
def test_directions_are_those_of_healpix(nside):
    directions = healpix_directions(nside)
    assert torch.equal(spherical_graph(nside).directions, directions)
    assert torch.equal(hemispheric_graph(nside).directions, directions[hemisphere_index(directions)])
    assert hemispheric_graph(nside).nside == spherical_graph(nside).nside == nside


@NSIDES
@GRAPHS
def test_laplacian_is_symmetric_and_annihilates_constants(build, nside):
    graph = build(nside)
    laplacian = graph.laplacian
    count = len(graph.directions)
    assert laplacian.shape == (count, count)
    assert laplacian.dtype == torch.float64
    torch.testing.assert_close(laplacian, laplacian.T, atol=1e-12, rtol=0)
    torch.testing.assert_close(laplacian.sum(1), torch.zeros(count, dtype=torch.float64), atol=1e-12, rtol=0)
    assert (laplacian - laplacian.diag().diag() <= 0).all()


@NSIDES
@GRAPHS
def test_only_constants_lie_in_the_null_space(build, nside):
    values = torch.linalg.eigvalsh(build(nside).laplacian)
    assert values[0].abs() < 1e-12
    assert values[1] > 1e-2 / nside**2


@NSIDES
def test_fold_is_exact_on_antipodal_signals(nside):
    full, half = spherical_graph(nside), hemispheric_graph(nside)
    kept, antipode = hemisphere_index(full.directions), antipode_index(full.directions)
    signal = torch.randn(len(antipode), 3, dtype=torch.float64)
    signal = signal + signal[antipode]
    for name in ("laplacian", "operator"):
        folded, whole = getattr(half, name) @ signal[kept], getattr(full, name) @ signal
        torch.testing.assert_close(folded, whole[kept], atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    ("nside", "full", "folded"),
    [
        (1, 2.38472, 2.37354),
        (2, 2.50477, 2.50477),
        (4, 2.53261, 2.53261),
        (8, 2.54451, 2.54451),
    ],
)
def test_largest_eigenvalues(nside, full, folded):
    for build in (hemispheric_graph, spherical_graph):
        assert build(nside).maximum_eigenvalue == pytest.approx(full, abs=1e-5)
    assert torch.linalg.eigvalsh(spherical_graph(nside).laplacian)[-1].item() == pytest.approx(full, abs=1e-5)
    assert torch.linalg.eigvalsh(hemispheric_graph(nside).laplacian)[-1].item() == pytest.approx(folded, abs=1e-5)


@NSIDES
@GRAPHS
def test_operator_maps_the_spectrum_into_minus_one_to_one(build, nside):
    graph = build(nside)
    maximum = torch.linalg.eigvalsh(spherical_graph(nside).laplacian)[-1].item()
    assert isinstance(graph.maximum_eigenvalue, float)
    assert graph.maximum_eigenvalue == pytest.approx(maximum, abs=1e-12)
    expected = 2 * graph.laplacian / maximum - torch.eye(len(graph.laplacian), dtype=torch.float64)
    torch.testing.assert_close(graph.operator, expected, atol=1e-12, rtol=0)


@NSIDES
def test_folded_spectrum_is_part_of_the_full_spectrum(nside):
    full, folded = (torch.linalg.eigvalsh(b(nside).laplacian) for b in (spherical_graph, hemispheric_graph))
    assert (folded[:, None] - full).abs().min(1).values.max() < 1e-12


def clusters(nside, degree):
    """Mean of eigenvalue / l(l+1) relative to l = 2, and relative spread, of the even degrees 2..degree."""
    values = torch.linalg.eigvalsh(hemispheric_graph(nside).laplacian)[1:]
    groups = values[: (degree + 1) * (degree + 2) // 2 - 1].split([2 * band + 1 for band in range(2, degree + 1, 2)])
    ratio = torch.stack(
        [g.mean() / (band * (band + 1)) for g, band in zip(groups, range(2, degree + 1, 2), strict=True)]
    )
    return ratio / ratio[0], torch.stack([(g.max() - g.min()) / g.mean() for g in groups])


@pytest.mark.parametrize(("nside", "lowest", "widest"), [(8, 0.9, 0.06), (4, 0.65, 0.12)])
def test_spectrum_follows_that_of_the_sphere(nside, lowest, widest):
    ratio, spread = clusters(nside, 8)
    assert ratio.min() >= lowest
    assert spread.max() < widest


@pytest.mark.parametrize(
    ("nside", "ratios", "spreads"),
    [
        (8, [1, 0.980, 0.950, 0.910, 0.861, 0.806, 0.745], [0.03, 0.03, 0.05, 0.04, 0.05, 0.04, 0.05]),
        (4, [1, 0.922, 0.811, 0.684, 0.558, 0.449], [0.09, 0.04, 0.08, 0.09, 0.11, 0.13]),
    ],
)
def test_eigenvalue_table(nside, ratios, spreads):
    ratio, spread = clusters(nside, 2 * len(ratios))
    torch.testing.assert_close(ratio, torch.tensor(ratios, dtype=torch.float64), atol=1e-3, rtol=0)
    torch.testing.assert_close(spread, torch.tensor(spreads, dtype=torch.float64), atol=5.1e-3, rtol=0)


@pytest.mark.parametrize("nside", [4, 8])
def test_folded_laplacian_has_half_the_entries(nside):
    full, folded = ((b(nside).laplacian.abs() > 1e-12).sum().item() for b in (spherical_graph, hemispheric_graph))
    assert 2 * folded == full
    assert folded / (6 * nside**2) == pytest.approx(9.2, abs=0.05)


@NSIDES
def test_full_sphere_children_are_nested(nside):
    graph = spherical_graph(nside)
    assert torch.equal(graph.children, torch.arange(48 * nside**2).reshape(-1, 4))


@NSIDES
def test_hemisphere_children_stand_for_the_nested_ones_up_to_sign(nside):
    coarse, fine = hemispheric_graph(nside), healpix_directions(2 * nside)
    nested = hemisphere_index(healpix_directions(nside))[:, None] * 4 + torch.arange(4)
    kept = hemisphere_index(fine)
    assert coarse.children.shape == (len(coarse.directions), 4)
    assert coarse.children.dtype == torch.int64
    cosine = (fine[kept][coarse.children][:, :, None] * fine[nested][:, None]).sum(-1).abs()
    matches = cosine > 1 - 1e-12
    assert (matches.sum(1) == 1).all()
    assert (matches.sum(2) == 1).all()


@pytest.mark.parametrize("nside", [1, 2, 4])
@GRAPHS
def test_parents_invert_children(build, nside):
    coarse, fine = build(nside), build(2 * nside)
    count = len(coarse.directions)
    assert torch.equal(coarse.children.flatten().sort().values, torch.arange(4 * count))
    assert fine.parent.shape == (4 * count,)
    assert torch.equal(fine.parent[coarse.children], torch.arange(count)[:, None].expand(-1, 4))


@GRAPHS
def test_coarsest_graph_has_no_parent(build):
    assert build(1).parent is None


@pytest.mark.parametrize(("nside", "degree", "measured"), [(4, 8, 0.14), (8, 8, 0.03), (8, 12, 0.10)])
def test_random_rotations_nearly_commute_with_filters(nside, degree, measured, rotation_matrix):
    """Pooled relative error of random Chebyshev filters, at most 1.5 times the measured one."""
    graph, generator = hemispheric_graph(nside), torch.Generator().manual_seed(0)
    basis = real_harmonics(graph.directions, degree, even=True)
    fit = torch.linalg.pinv(basis)
    error = power = 0.0
    for seed in range(30):
        weights = torch.randn(5, generator=generator).double()
        coefficients = torch.randn(basis.shape[1], 4, generator=generator).double()
        rotated = real_harmonics(graph.directions @ rotation_matrix(seed), degree, even=True)
        before, after = (
            clenshaw(graph.operator, weights[:, None, None] * (b @ coefficients)) for b in (rotated, basis)
        )
        error += (before - rotated @ fit @ after).square().sum()
        power += before.square().sum()
    assert (error / power) ** 0.5 < 1.5 * measured


@pytest.mark.parametrize("nside", [0, 3])
@GRAPHS
def test_impossible_resolution_is_refused(build, nside):
    with pytest.raises(ValueError, match=str(nside)):
        build(nside)
