"""The joint loss: terms that are known on paper, sources of weights, masks and refusals."""

import pytest
import torch

from monai_cortex.losses import DiffusionRegistrationLoss

SHAPE = (12, 10, 8)


def uniform(seed, *shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def same_pair(batch=1):
    """Equal images, no displacement, noise known: nothing is left to learn."""
    image, noise = 2 * uniform(0, batch, 1, *SHAPE) - 1, 6 * uniform(1, batch, 1, *SHAPE) - 3
    target = {
        "moving": image,
        "fixed": image,
        "noise": noise,
        "noised": torch.ones(batch, dtype=torch.float64),
        "valid": torch.ones_like(image),
    }
    return {"score": noise, "ddf": torch.zeros(batch, 3, *SHAPE, dtype=torch.float64), "velocity": None}, target


def labeled(found, target, displacement):
    """With a true displacement and a label in one corner."""
    label = torch.zeros_like(target["fixed"])
    label[..., :2, :2, :2] = 3
    truth = torch.tensor(displacement, dtype=torch.float64).view(3, 1, 1, 1).expand_as(found["ddf"])
    return target | {"true_displacement": truth, "fixed_label": label}


def half():
    valid = torch.zeros(1, 1, *SHAPE, dtype=torch.float64)
    valid[..., :5] = 1
    return valid


def terms(found, target, **options):
    loss = DiffusionRegistrationLoss(**options)
    return loss(found, target), loss.latest


def test_nothing_left_to_learn_costs_minus_the_weighted_correlation():
    """As published: 20 for the similarity, no noise error, nothing rough."""
    found, target = same_pair()
    total, latest = terms(found, target)
    torch.testing.assert_close(latest["similarity"], -target["noise"].sigmoid().mean())
    assert latest["noise"] == latest["smooth"] == 0
    torch.testing.assert_close(total, 20 * latest["similarity"])
    assert not any(value.requires_grad for value in latest.values())


def test_total_is_the_weighted_sum_and_gradients_flow_to_field_and_score():
    found, target = same_pair()
    found["ddf"] = uniform(4, *found["ddf"].shape).requires_grad_()
    found["score"] = (found["score"] + 0.5).requires_grad_()
    total, latest = terms(found, target, noise=2.0, similarity=3.0, smooth=5.0)
    torch.testing.assert_close(latest["noise"].item(), 0.25)
    torch.testing.assert_close(total, 2 * latest["noise"] + 3 * latest["similarity"] + 5 * latest["smooth"])
    total.backward()
    assert found["ddf"].grad.abs().max() > 0
    assert found["score"].grad.abs().max() > 0


def test_displacement_points_from_fixed_to_moving():
    """Two voxels up the first axis lie what the fixed image shows."""
    found, target = same_pair()
    target |= {"fixed": target["moving"].roll(-2, 2)}
    costs = []
    for shift in (2.0, -2.0):
        found["ddf"] = torch.zeros_like(found["ddf"])
        found["ddf"][:, 0] = shift
        costs.append(terms(found, target, source="none")[1]["similarity"])
    assert costs[0] < costs[1] - 0.3


@pytest.mark.parametrize(("source", "expected"), [("none", -1.0), ("residual", -0.5)])
def test_weights_without_the_score(source, expected):
    """Of equal images the residual is 0, and its weight one half."""
    found, target = same_pair()
    torch.testing.assert_close(terms(found, target, source=source)[1]["similarity"].item(), expected)


def test_shuffled_score_keeps_its_values_within_the_image():
    """Of equal images only the mean weight is seen; elsewhere all do."""
    found, target = same_pair()
    target["valid"] = half()
    found["score"] = torch.where(half() > 0, found["score"], 50.0)
    kept, shuffled = (terms(found, target, source=source)[1]["similarity"] for source in ("score", "shuffled"))
    torch.testing.assert_close(shuffled, kept)
    target["moving"] = uniform(5, *target["moving"].shape)
    kept, shuffled = (terms(found, target, source=source)[1]["similarity"] for source in ("score", "shuffled"))
    assert (kept - shuffled).abs() > 1e-5


def test_shuffled_score_is_that_of_the_pair_and_of_the_seed():
    found, target = same_pair(2)
    found["score"] = torch.stack([found["score"][0], found["score"][0] + 20])
    results = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        target["moving"] = uniform(5, *target["moving"].shape)
        results.append(terms(found, target, source="shuffled")[1]["similarity"])
    assert results[0] == results[1] != results[2]
    # Saturated weights of the second pair are all 1, wherever they go.
    alone = [
        terms(
            {n: found[n][1:] for n in ("score", "ddf")} | {"velocity": None},
            {n: x[1:] for n, x in target.items()},
            source=source,
        )[1]["similarity"]
        for source in ("shuffled", "none")
    ]
    torch.testing.assert_close(*alone, rtol=1e-4, atol=1e-6)


def test_clean_pairs_teach_no_noise():
    found, target = same_pair(2)
    found["score"] = (target["noise"] + torch.tensor([3.0, 1.0]).view(2, 1, 1, 1, 1)).requires_grad_()
    target["noised"] = torch.tensor([0.0, 1.0])
    loss = DiffusionRegistrationLoss(similarity=0.0)
    total = loss(found, target)
    torch.testing.assert_close(loss.latest["noise"].item(), 1.0)
    total.backward()
    assert found["score"].grad[0].abs().max() == 0
    target["noised"] = torch.zeros(2)
    assert terms(found, target, similarity=0.0)[0] == 0


@pytest.mark.parametrize("source", ["score", "residual", "none"])
def test_what_is_not_image_does_not_matter(source):
    found, target = same_pair()
    target["moving"] = uniform(5, *target["moving"].shape)
    target = labeled(found, target, (0.5, 0, 0)) | {"valid": half()}
    expected = terms(found, target, source=source, known={"field": 1.0})[0]
    for seed, (part, name) in enumerate([(target, "moving"), (target, "fixed"), (target, "noise"), (found, "score")]):
        part[name] = torch.where(half() > 0, part[name], 1 - 2 * uniform(9 + seed, *part[name].shape))
    target["true_displacement"] = torch.where(half() > 0, target["true_displacement"], 9.0)
    torch.testing.assert_close(terms(found, target, source=source, known={"field": 1.0})[0], expected)


@pytest.mark.parametrize("spacing", [None, (1.5, 1.5, 8.0)])
def test_roughness_of_a_velocity_does_not_depend_on_its_grid(spacing):
    """The same affine velocity, on the image's grid and on cells of (2, 2, 1) voxels."""
    found, target = same_pair()
    rough = []
    for cells in ((1, 1, 1), (2, 2, 1)):
        lines = [torch.arange(size // cell) * float(cell) for size, cell in zip(SHAPE, cells, strict=True)]
        places = torch.stack(torch.meshgrid(*lines, indexing="ij")).double()
        matrix = torch.tensor([[0.1, 0, 0.2], [-0.3, 0.2, 0], [0, 0.1, -0.1]], dtype=torch.float64)
        found["velocity"] = torch.einsum("cd,dijk->cijk", matrix, places)[None]
        rough.append(terms(found, target, spacing=spacing)[1]["smooth"])
    torch.testing.assert_close(*rough)
    if spacing is None:
        torch.testing.assert_close(rough[0], matrix.square().mean())


def test_velocity_is_what_should_be_smooth():
    found, target = same_pair()
    found |= {"velocity": found["ddf"], "ddf": uniform(4, *found["ddf"].shape)}
    assert terms(found, target)[1]["smooth"] == 0


@pytest.mark.parametrize("spacing", [None, (1.5, 1.5, 8.0)])
def test_distance_from_the_truth_is_in_voxels(spacing):
    """Of (3, 4, 0) voxels, less the tenth below which errors count by their square, whatever the voxels' edges."""
    found, target = same_pair()
    target = labeled(found, target, (3.0, 4.0, 0.0))
    error = terms(found, target, known={"field": 1.0}, spacing=spacing)[1]["field"].item()
    assert error == pytest.approx(4.9, abs=0.01)
    found["ddf"] = target["true_displacement"]
    assert terms(found, target, known={"field": 1.0}, spacing=spacing)[1]["field"] == 0


def test_overlap_is_that_of_the_warped_moving_label():
    """The label lies two voxels further along the first axis of the moving image."""
    found, target = same_pair()
    target = labeled(found, target, (0.0, 0.0, 0.0))
    target |= {"moving_label": target["fixed_label"].roll(2, 2)}
    costs = []
    for shift in (0.0, 2.0):
        found["ddf"] = torch.zeros_like(found["ddf"])
        found["ddf"][:, 0] = shift
        costs.append(terms(found, target, known={"overlap": 1.0})[1]["overlap"].item())
    # Of three labels two are absent, and the third of 8 voxels is met or missed, but for the 1 added to both.
    assert costs == pytest.approx([(1 - 1 / 17) / 3, 0], abs=1e-9)


def test_known_terms_enter_the_total_with_their_weights_and_have_gradients():
    found, target = same_pair()
    target = labeled(found, target, (1.0, 0.0, 0.0))
    target |= {"moving_label": target["fixed_label"].roll(1, 2)}
    found["ddf"] = torch.full_like(found["ddf"], 0.3).requires_grad_()
    only = {"noise": 0.0, "similarity": 0.0, "smooth": 0.0}
    total, latest = terms(found, target, known={"field": 7.0, "overlap": 3.0}, **only)
    torch.testing.assert_close(total, 7 * latest["field"] + 3 * latest["overlap"])
    total.backward()
    assert found["ddf"].grad[0, 0].sum() < 0
    assert not any(value.requires_grad for value in latest.values())


@pytest.mark.parametrize("known", [None, {}, {"field": 0.0, "overlap": 0}])
def test_without_weights_no_truth_is_asked_for(known):
    loss = DiffusionRegistrationLoss(known=known)
    loss(*same_pair())
    assert loss.latest.keys() == {"noise", "similarity", "smooth"}


def test_errors_near_labels_count_five_times():
    found, target = same_pair()
    target = labeled(found, target, (0.0, 0.0, 0.0))
    costs = []
    for corner in (0, -1):
        found["ddf"] = torch.zeros_like(found["ddf"])
        found["ddf"][0, 0, corner, corner, corner] = 1
        costs.append(terms(found, target, known={"field": 1.0})[1]["field"])
    torch.testing.assert_close(costs[0], 5 * costs[1])


def test_unknown_source_is_refused():
    with pytest.raises(ValueError, match="shuffled, residual, none, got 'noise'"):
        DiffusionRegistrationLoss(source="noise")


def test_unknown_truth_is_refused():
    with pytest.raises(ValueError, match="field, overlap, got .*labels"):
        DiffusionRegistrationLoss(known={"labels": 1.0})


@pytest.mark.parametrize(
    ("term", "name"),
    [("field", "true_displacement"), ("field", "fixed_label"), ("overlap", "moving_label"), ("overlap", "fixed_label")],
)
def test_truth_that_is_missing_is_named(term, name):
    found, target = same_pair()
    target = labeled(found, target, (0.0, 0.0, 0.0))
    target |= {"moving_label": target["fixed_label"]}
    del target[name]
    with pytest.raises(ValueError, match=f"weight of {term} needs {name}"):
        DiffusionRegistrationLoss(known={term: 1.0})(found, target)


def test_processes_have_the_loss_of_their_whole_batch_as_mean(in_processes):
    """Also where one pair is noised and has few voxels, and the other is not noised."""
    found, target = same_pair(2)
    found["score"] = found["score"] + uniform(7, *found["score"].shape)
    found["ddf"] = uniform(8, *found["ddf"].shape)
    target = labeled(found, target, (1.0, 0.0, 2.0))
    target["valid"][0, ..., 4:] = 0
    target["noised"][1] = 0
    loss = DiffusionRegistrationLoss(known={"field": 1.0})

    def own(rank):
        rows = slice(rank, rank + 1)
        part = {"score": found["score"][rows], "ddf": found["ddf"][rows], "velocity": None}
        value = loss(part, {name: values[rows] for name, values in target.items()})
        return value.item(), loss.latest["noise"].item()

    (first, noise), (second, none) = in_processes(own)
    assert none == 0
    assert (first + second) / 2 == pytest.approx(loss(found, target).item())
    assert noise / 2 == pytest.approx(loss.latest["noise"].item())
