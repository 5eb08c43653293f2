import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from monai_cortex.errors import ConfigError
from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.geometry.healpix import healpix_directions
from monai_cortex.geometry.hemisphere import hemispheric_graph
from monai_cortex.losses import DeconvolutionLoss

COUNT = 15  # even harmonics up to degree 4
SIGMA = 1e-5


@pytest.fixture(scope="module")
def loss():
    return DeconvolutionLoss(degree=4, nside=4)


@pytest.fixture
def draw():
    """Random numbers of a given shape, the same in every test."""
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(shape, generator=generator)


@pytest.fixture
def case(draw):
    """Prediction with one isotropic tissue and the signal that it explains exactly."""
    prediction, design = draw(2, COUNT + 1, 4, 3, 5), draw(2, 9, COUNT + 1)
    dwi = torch.einsum("bgn,bnijk->bgijk", design, prediction)
    return prediction, {"dwi": dwi, "design": design, "mask": torch.ones(2, 1, 4, 3, 5)}


def fiber(index):
    """Coefficients (COUNT,) of one harmonic: two of them are orthogonal distributions."""
    return torch.eye(COUNT)[index]


def neighborhood(center, *around):
    """A 3 x 3 x 3 grid, the six neighbors of the center in the order -i, +i, -j, +j, -k, +k."""
    field = fiber(9).view(1, COUNT, 1, 1, 1).repeat(1, 1, 3, 3, 3)
    field[0, :, 1, 1, 1] = center
    for (axis, step), value in zip(itertools.product(range(3), (-1, 1)), around, strict=True):
        place = [1, 1, 1]
        place[axis] += step
        field[0, :, place[0], place[1], place[2]] = value
    return field


def variation(loss, field, mask=None):
    """The term of total variation alone."""
    size = field.shape[2:]
    mask = torch.ones(len(field), 1, *size) if mask is None else mask
    target = {"dwi": torch.zeros(len(field), 1, *size), "design": torch.ones(len(field), 1, COUNT), "mask": mask}
    return loss.terms(field, target).total_variation.item()


def test_exact_signal_has_no_reconstruction_error(loss, case):
    assert loss.terms(*case).reconstruction < 1e-10


def test_reconstruction_is_the_mean_square_over_volumes_and_voxels(loss, case):
    prediction, target = case
    target["dwi"][0, 3, 1, 2, 0] += 2.0
    target["dwi"][1, 8, 0, 0, 4] -= 1.0
    assert loss.terms(prediction, target).reconstruction.item() == pytest.approx(5 / (9 * 120), rel=1e-4)


def test_rows_of_zeros_change_nothing(loss, case, draw):
    """Where subjects of a batch have different numbers of volumes, the shorter are filled up."""
    prediction, target = case
    target["dwi"] = target["dwi"] + draw(*target["dwi"].shape)
    padded = target | {
        "dwi": torch.cat([target["dwi"], torch.zeros(2, 4, 4, 3, 5)], 1),
        "design": torch.cat([target["design"], torch.zeros(2, 4, COUNT + 1)], 1),
    }
    for a, b in zip(loss.terms(prediction, target), loss.terms(prediction, padded), strict=True):
        torch.testing.assert_close(a, b)


def test_padding_counts_for_each_subject_alone(loss, case):
    """Two volumes of subject 0 do not exist: an error there of 3 weighs 9 / 7, of subject 1 it weighs 9 / 9."""
    prediction, target = case
    target["design"][0, 7:] = 0
    target["dwi"][0, 7:] = 0
    target["dwi"][0, 0, 0, 0, 0] += 3
    target["dwi"][1, 0, 0, 0, 0] += 3
    expected = (9 / 7 + 9 / 9) / 120
    assert loss.terms(prediction, target).reconstruction.item() == pytest.approx(expected, rel=1e-4)


def test_values_outside_the_mask_change_nothing(loss, case, draw):
    prediction, target = case
    target["mask"][0, :, 1:3, :, 2:4] = 0
    target["mask"][1, :, 0] = 0
    other = torch.where(target["mask"] > 0, prediction, draw(*prediction.shape))
    changed = target | {"dwi": torch.where(target["mask"] > 0, target["dwi"], draw(*target["dwi"].shape))}
    for a, b in zip(loss.terms(prediction, target), loss.terms(other, changed), strict=True):
        torch.testing.assert_close(a, b)


def test_voxels_outside_the_mask_get_no_gradient(loss, case):
    prediction, target = case
    target["mask"][:, :, 2] = 0
    target["dwi"] = target["dwi"] + 1
    prediction.requires_grad_()
    loss(prediction, target).backward()
    assert (prediction.grad[:, :, 2] == 0).all()
    assert (prediction.grad[:, :, [0, 1, 3]] != 0).any(1).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_priors_of_a_constant_distribution_have_closed_forms(loss, sign):
    amplitude = sign * 0.02
    prediction = torch.zeros(1, COUNT, 2, 2, 2)
    prediction[:, 0] = amplitude * math.sqrt(4 * math.pi)
    zeros, mask = torch.zeros(1, 1, 2, 2, 2), torch.ones(1, 1, 2, 2, 2)
    terms = loss.terms(prediction, {"dwi": zeros, "design": torch.ones(1, 1, COUNT), "mask": mask})
    assert terms.non_negativity.item() == pytest.approx(amplitude**2 if sign < 0 else 0, rel=1e-5)
    assert terms.sparsity.item() == pytest.approx(2 * math.log(1 + amplitude**2 / (2 * SIGMA)), rel=1e-5)


def test_isotropic_tissues_have_no_priors(loss, case):
    prediction, target = case
    other = prediction.clone()
    other[:, COUNT:] = -5
    for a, b in list(zip(loss.terms(prediction, target), loss.terms(other, target), strict=True))[1:]:
        torch.testing.assert_close(a, b)


def test_priors_do_not_depend_on_the_number_of_samples(case):
    coarse, fine = DeconvolutionLoss(degree=4, nside=4).terms(*case), DeconvolutionLoss(degree=4, nside=8).terms(*case)
    torch.testing.assert_close(coarse, fine, rtol=0.02, atol=0)


def test_constant_field_has_no_total_variation(loss, draw):
    field = draw(1, COUNT, 1, 1, 1).expand(1, COUNT, 4, 4, 4)
    assert variation(loss, field) < 1e-12


@given(st.floats(1e-3, 1e4))
def test_total_variation_ignores_a_common_factor(loss, factor):
    field = torch.randn(1, COUNT, 3, 4, 3, generator=torch.Generator().manual_seed(3))
    assert variation(loss, factor * field) == pytest.approx(variation(loss, field), rel=1e-4)


def test_total_variation_ignores_the_amplitude_of_each_voxel(loss, draw):
    field, factor = draw(1, COUNT, 3, 4, 3), draw(1, 1, 3, 4, 3).abs() + 0.1
    assert variation(loss, factor * field) == pytest.approx(variation(loss, field), rel=1e-4)


@pytest.mark.parametrize("different", range(7))
def test_orthogonal_neighbors_differ_by_two(loss, different):
    """Each of the six is at the squared distance 2, so m of them give 2 m / 6, over 3,072 points."""
    a, b = 3 * fiber(2), 0.5 * fiber(7)
    field = neighborhood(a, *[b] * different, *[2 * a] * (6 - different))
    assert variation(loss, field) == pytest.approx(2 * different / 6 / 3072, rel=1e-5, abs=1e-12)


@pytest.mark.parametrize("place", range(6))
def test_every_one_of_the_six_neighbors_counts_alike(loss, place):
    around = [fiber(2)] * 6
    around[place] = -fiber(2)  # antipodal in function space: squared distance 4
    assert variation(loss, neighborhood(fiber(2), *around)) == pytest.approx(4 / 6 / 3072, rel=1e-5)


def test_neighbors_outside_the_mask_do_not_count(loss):
    field = neighborhood(fiber(2), *[fiber(7)] * 6)
    mask = torch.ones(1, 1, 3, 3, 3)
    mask[..., 0, 1, 1] = 0
    assert variation(loss, field, mask) == pytest.approx(5 * 2 / 6 / 3072, rel=1e-5)
    mask[..., 1, 1, 1] = 0
    assert variation(loss, field, mask) == 0


def test_total_variation_is_the_mean_over_interior_voxels_in_the_mask(loss):
    """Of two interior voxels one is outside: the other differs from five neighbors by 2."""
    field = fiber(7).view(1, COUNT, 1, 1, 1).repeat(1, 1, 4, 3, 3)
    field[0, :, 1, 1, 1] = fiber(2)
    mask = torch.ones(1, 1, 4, 3, 3)
    mask[..., 2, 1, 1] = 0
    assert variation(loss, field, mask) == pytest.approx(5 * 2 / 6 / 3072, rel=1e-5)


def test_a_slab_too_thin_for_neighbors_has_no_total_variation(loss, draw):
    assert variation(loss, draw(1, COUNT, 4, 4, 2)) == 0


@pytest.mark.parametrize(
    ("directions", "count"),
    [(healpix_directions(16), 3072), (healpix_directions(8), 768), (hemispheric_graph(8).directions, 384)],
)
def test_total_variation_is_that_of_any_number_of_samples(loss, draw, directions, count):
    """The published term: u = f / ||f|| over 3,072 samples, mean over samples, neighbors and voxels; of n, n / 3072."""
    field = draw(2, COUNT, 4, 3, 4)
    basis = real_harmonics(directions, 4, even=True)
    assert len(basis) == count
    f = torch.einsum("vn,bnijk->bvijk", basis, field.double())
    u = f / f.norm(dim=1, keepdim=True)
    core = u[:, :, 1:-1, 1:-1, 1:-1]
    shifted = [u[:, :, :-2, 1:-1, 1:-1], u[:, :, 2:, 1:-1, 1:-1], u[:, :, 1:-1, :-2, 1:-1]]
    shifted += [u[:, :, 1:-1, 2:, 1:-1], u[:, :, 1:-1, 1:-1, :-2], u[:, :, 1:-1, 1:-1, 2:]]
    expected = count / 3072 * torch.stack([(core - s).square().mean(1) for s in shifted]).mean().item()
    assert variation(loss, field) == pytest.approx(expected, rel=1e-3)  # HEALPix weights its points alike


@pytest.mark.parametrize("factor", [0.0, 1e-8, 1.0])
def test_gradient_is_finite(loss, case, factor):
    prediction, target = case
    prediction = (factor * prediction).requires_grad_()
    value = loss(prediction, target)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(prediction.grad).all()


def test_batch_without_a_voxel_in_the_mask_stops_no_training(loss, case):
    prediction, target = case
    target["mask"].zero_()
    assert torch.isfinite(loss(prediction, target))


def test_gradient_is_that_of_finite_differences(double_precision, draw):
    loss = DeconvolutionLoss(degree=2, nside=1, sparsity=1e-3, total_variation=100.0)
    design, dwi = draw(1, 4, 7).double(), draw(1, 4, 3, 3, 3).double()
    target = {"dwi": dwi, "design": design, "mask": torch.ones(1, 1, 3, 3, 3)}
    prediction = (0.1 * draw(1, 7, 3, 3, 3).double()).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: loss(p, target), prediction, fast_mode=True)


def test_loss_is_the_weighted_sum_of_its_terms(case):
    priors = {"non_negativity": 2.0, "sparsity": 0.3, "total_variation": 50.0}
    weights = {"reconstruction": 0.7, **priors, "supervised": 1.5, "isotropy": 0.4}
    weighted = DeconvolutionLoss(degree=4, nside=4, **weights)
    prediction, target = case
    target |= {"dwi": target["dwi"] + 1, "truth": prediction[:, :COUNT] + 0.1}
    value = weighted(prediction.requires_grad_(), target)
    terms = weighted.terms(prediction, target)._asdict()
    assert terms.keys() == weights.keys()
    assert all(term > 0 for term in terms.values())
    torch.testing.assert_close(value, sum(w * terms[name] for name, w in weights.items()))
    assert weighted.latest.keys() == terms.keys()
    assert not any(value.requires_grad for value in weighted.latest.values())


def test_default_weights_are_the_published_ones(case):
    loss = DeconvolutionLoss()
    assert loss.weights == {
        "reconstruction": 1,
        "non_negativity": 0.1,
        "sparsity": 5e-5,
        "total_variation": 0.5,
        "supervised": 0,
        "isotropy": 0,
    }
    assert loss.count == 45
    assert loss.sampling.shape == (384, 45)
    assert not loss.state_dict()


def test_terms_without_weight_are_left_out_of_the_record(loss, case):
    loss(*case)
    assert list(loss.latest) == ["reconstruction", "non_negativity", "sparsity", "total_variation"]


FORMS = {
    "cauchy": lambda x: 2 * math.log(1 + x),
    "welsch": lambda x: 2 * (1 - math.exp(-x)),
    "geman": lambda x: 2 * x / (1 + x),
}


def sparsity(form, amplitude):
    prediction = torch.zeros(1, COUNT, 1, 1, 1, dtype=torch.float64)
    prediction[:, 0] = amplitude * math.sqrt(4 * math.pi)
    ones = torch.ones(1, 1, 1, 1, 1, dtype=torch.float64)
    target = {"dwi": ones, "design": torch.ones(1, 1, COUNT, dtype=torch.float64), "mask": ones}
    return DeconvolutionLoss(degree=4, nside=1, sparsity_form=form).terms(prediction, target).sparsity.item()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("amplitude", [0.0, 1e-3, -0.01, 0.5])
def test_each_sparsity_has_its_formula(form, amplitude):
    expected = FORMS[form](amplitude**2 / (2 * SIGMA))
    assert sparsity(form, amplitude) == pytest.approx(expected, rel=1e-6, abs=1e-15)


@pytest.mark.parametrize("form", FORMS)
def test_sparsities_are_alike_near_zero(form):
    """All go like f^2 / sigma: one weight serves the three."""
    small = 1e-6
    assert sparsity(form, small) == pytest.approx(small**2 / SIGMA, rel=1e-4)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"sparsity_form": "laplace"}, "no such sparsity form\n.*laplace\n.*cauchy, welsch, geman"),
        ({"total_variations": 1.0}, "no such weight\n.*total_variations\n.*total_variation, supervised"),
    ],
)
def test_unknown_names_are_refused(options, match):
    with pytest.raises(ConfigError, match=match):
        DeconvolutionLoss(degree=2, nside=1, **options)


@pytest.fixture
def supervised_case(case, draw):
    prediction, target = case
    return prediction, target | {"truth": draw(2, COUNT, 4, 3, 5)}


def test_supervised_term_is_the_squared_error_on_the_sphere(supervised_case):
    """Parseval: the integral over the sphere of the squared difference, mean over the voxels in the mask."""
    prediction, target = supervised_case
    target["mask"][0, :, :2] = 0
    found = DeconvolutionLoss(degree=4, nside=1, supervised=1.0).terms(prediction, target).supervised.item()
    basis = real_harmonics(healpix_directions(16), 4, even=True).float()
    difference = torch.einsum("vn,bnijk->bvijk", basis, prediction[:, :COUNT] - target["truth"])
    integral = 4 * math.pi * difference.square().mean(1)
    assert found == pytest.approx(integral[target["mask"][:, 0] > 0].mean().item(), rel=1e-3)


def test_supervised_term_vanishes_at_the_truth_only(supervised_case):
    prediction, target = supervised_case
    weighted = DeconvolutionLoss(degree=4, nside=1, supervised=1.0)
    target["truth"] = prediction[:, :COUNT].clone()
    assert weighted.terms(prediction, target).supervised == 0
    target["truth"][0, 3, 1, 1, 1] += 2.0
    assert weighted.terms(prediction, target).supervised.item() == pytest.approx(4 / 120)


def test_truth_is_only_needed_for_supervision(case):
    assert DeconvolutionLoss(degree=4, nside=1).terms(*case).supervised is None
    with pytest.raises(ConfigError, match="targets design, dwi, mask\n.*truth"):
        DeconvolutionLoss(degree=4, nside=1, supervised=0.1)(*case)


def isotropy(prediction):
    size = prediction.shape[2:]
    target = {"dwi": torch.zeros(1, 1, *size), "design": torch.ones(1, 1, COUNT), "mask": torch.ones(1, 1, *size)}
    return DeconvolutionLoss(degree=4, nside=1, isotropy=1.0).terms(prediction, target).isotropy


def test_isotropy_runs_from_a_single_harmonic_to_the_uniform_distribution():
    """f = f_00 has no anisotropy, f_00 = 0 has the largest, and f_00 = f_20 has GFA^2 = 1/2."""
    mixed = fiber(0) + fiber(3)
    for coefficients, expected in ((fiber(0), 1.0), (fiber(3), 0.0), (mixed, 0.5), (-3 * mixed, 0.5)):
        assert isotropy(coefficients.view(1, COUNT, 1, 1, 1)).item() == pytest.approx(expected)


def test_isotropy_is_one_minus_the_squared_anisotropy_of_samples(draw):
    """GFA = std / rms over a dense set of directions, here HEALPix of equal areas."""
    field = draw(1, COUNT, 2, 2, 2)
    samples = torch.einsum("vn,bnijk->bvijk", real_harmonics(healpix_directions(16), 4, even=True).float(), field)
    anisotropy = samples.std(1, correction=0) / samples.square().mean(1).sqrt()
    assert isotropy(field).item() == pytest.approx((1 - anisotropy**2).mean().item(), rel=1e-3)


@pytest.mark.parametrize("coefficients", [torch.zeros(COUNT), fiber(0), 1e-8 * fiber(3)])
def test_isotropy_has_a_finite_gradient_everywhere(coefficients):
    prediction = coefficients.view(1, COUNT, 1, 1, 1).clone().requires_grad_()
    isotropy(prediction).backward()
    assert prediction.grad.isfinite().all()


def test_gradient_of_all_terms_is_that_of_finite_differences(double_precision, draw):
    loss = DeconvolutionLoss(degree=2, nside=1, sparsity=1e-3, sparsity_form="geman", supervised=0.5, isotropy=0.3)
    target = {"dwi": draw(1, 4, 3, 3, 3), "design": draw(1, 4, 7), "mask": torch.ones(1, 1, 3, 3, 3)}
    target = {name: value.double() for name, value in target.items()} | {"truth": draw(1, 6, 3, 3, 3).double()}
    prediction = (0.1 * draw(1, 7, 3, 3, 3).double()).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: loss(p, target), prediction, fast_mode=True)


def test_processes_have_the_loss_of_their_whole_batch_as_mean(loss, case, in_processes):
    """Also where one has many voxels and the other few; so it is for the gradient."""
    prediction, target = case
    target["mask"][0, :, 1:] = 0

    def own(rank):
        part = prediction[rank : rank + 1].clone().requires_grad_()
        value = loss(part, {name: values[rank : rank + 1] for name, values in target.items()})
        value.backward()
        return value.item(), part.grad.tolist()

    (first, *gradient), (second, *other) = in_processes(own)
    whole = prediction.clone().requires_grad_()
    expected = loss(whole, target)
    expected.backward()
    assert (first + second) / 2 == pytest.approx(expected.item(), rel=1e-5)
    torch.testing.assert_close(torch.tensor([*gradient[0], *other[0]]) / 2, whole.grad)
