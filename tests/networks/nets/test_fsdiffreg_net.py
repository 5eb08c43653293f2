"""The registration network: its size, its parts, the order of its axes and the maps it gives."""

import pytest
import torch
from torch import nn

from monai_cortex.geometry.demons_force import demons_forces
from monai_cortex.geometry.displacement import compose, jacobian_determinant
from monai_cortex.networks.nets import FSDiffRegNet, fsdiffreg_net
from monai_cortex.networks.nets.fsdiffreg_net import _gather, _scatter

SMALL = {"width": 4, "multipliers": (1, 2)}
SHAPE = (8, 12, 4)
NAMES = ("score", "ddf")


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network(**options):
    torch.manual_seed(0)
    return FSDiffRegNet(**{**SMALL, **options}).double()


def trained(**options):
    """Parameters as if the network had learned something."""
    module = network(**options)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.2)
    return module


def inputs(batch=1, shape=SHAPE):
    return [*(normal(seed, batch, 1, *shape) for seed in range(3)), torch.arange(batch) * 700 + 5]


def moving_by(velocity, **options):
    """A network whose last head gives a field and whose other fields are zero."""
    module = network(guided=False, **options)
    module.field_head[-1].register_forward_hook(lambda *_: velocity)
    return module


def turned(image):
    """Reference order (slice, row, column) to that of files."""
    return image.permute(0, 1, 3, 4, 2)


def test_parameters_of_the_published_network():
    module = fsdiffreg_net("reference")
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in module.named_children()}
    assert counts == {
        "time": 552,
        "encoder": 149_552 + 115_744,
        "diffusion": 449_584,
        "registration": 582_544,
        "heads": 21_512,
        "score_head": 233,
        "field_head": 750,
    }
    middle = [*module.encoder.middle.parameters(), *module.encoder.attention.parameters()]
    assert sum(p.numel() for p in middle) == 115_744
    assert sum(counts.values()) == 1_320_471
    assert module.encoder.skips == [8, 8, 8, 16, 16, 32, 32, 32]


@pytest.mark.parametrize(("multipliers", "res_blocks"), [((1,), 1), ((1, 2), 2), ((1, 1, 2), 1)])
def test_one_field_of_each_block_and_one_of_the_score(multipliers, res_blocks):
    found = network(multipliers=multipliers, res_blocks=res_blocks)(*inputs())
    assert len(found["fields"]) == len(multipliers) * (res_blocks + 1) + 1
    torch.testing.assert_close(torch.stack(found["fields"]).mean(0), found["ddf"])


@pytest.mark.parametrize("preset", ["reference", "recommended"])
@pytest.mark.parametrize("batch", [1, 2])
def test_results_lie_on_the_image(preset, batch):
    module = fsdiffreg_net(preset, {"width": 4})
    shape = (16, 32, 8)
    found = module(*(image.float() for image in inputs(batch, shape)[:3]), torch.zeros(batch))
    assert found["score"].shape == (batch, 1, *shape)
    assert found["ddf"].shape == (batch, 3, *shape)
    assert len(found["fields"]) == (9 if preset == "reference" else 10)
    assert (found["velocity"] is None) == (preset == "reference")


def test_recommended_network_begins_with_the_identity_and_the_published_one_near_it():
    images = [image.float() for image in inputs(1, (16, 16, 8))[:3]]
    torch.manual_seed(0)
    start = [fsdiffreg_net(preset)(*images, torch.zeros(1))["ddf"].abs() for preset in ("recommended", "reference")]
    assert torch.equal(start[0], torch.zeros_like(start[0]))
    assert 0.02 < start[1].mean() < 0.2


@torch.no_grad()
def test_forces_give_a_field_of_their_own():
    """Passed through with the other four fields zero: a fifth of the forces, times both gains, in voxels of cells."""
    module = network(upsampling="trilinear_scaled", stem_pooling=(2, 2, 1), forces=True)
    moving, fixed, noisy, times = inputs()
    assert torch.equal(module(moving, fixed, noisy, times)["ddf"], torch.zeros(1, 3, *SHAPE, dtype=torch.float64))
    module.force_head.weight[range(3), range(3, 6), 1, 1, 1] = 1
    found = module(moving, fixed, noisy, times)
    small = [nn.functional.avg_pool3d(image, (2, 2, 1)) for image in (fixed, moving)]
    forces = demons_forces(*small, (1.5,)) * torch.tensor([2.0, 2, 1]).view(3, 1, 1, 1)
    assert len(found["fields"]) == 6
    torch.testing.assert_close(found["fields"][-1], 16 * forces)
    torch.testing.assert_close(torch.stack(found["fields"]).mean(0), 16 / 6 * forces)
    assert found["ddf"].abs().max() > 0.1


@torch.no_grad()
def test_forces_are_seen_and_turn_around_with_the_images():
    module = trained(forces=True, upsampling="trilinear_scaled")
    moving, fixed, noisy, times = inputs()
    zero = [parameter for head in module.heads for parameter in head.blend.parameters()]
    for parameter in (*zero, *module.field_head.parameters(), module.force_head.bias):
        nn.init.zeros_(parameter)
    forward, backward = module(moving, fixed, noisy, times), module(fixed, moving, noisy, times)
    assert forward["ddf"].abs().max() > 0.1
    torch.testing.assert_close(forward["ddf"], -backward["ddf"])
    # The encoder sees them too: its kernels of their channels matter.
    before = forward["score"]
    nn.init.zeros_(module.encoder.stem.weight[:, 3:])
    assert (module(moving, fixed, noisy, times)["score"] - before).abs().max() > 1e-3


@pytest.mark.parametrize("preset", ["reference", "recommended"])
@torch.no_grad()
def test_half_precision_is_near_and_gives_the_images_precision(preset):
    torch.manual_seed(0)
    modules = [fsdiffreg_net(preset, {"width": 4, "half_precision": half}) for half in (False, True)]
    for parameter in modules[0].parameters():
        nn.init.normal_(parameter, std=0.1)
    modules[1].load_state_dict(modules[0].state_dict())
    images = [nn.functional.avg_pool3d(image.float(), 3, 1, 1) for image in inputs(1, (16, 16, 8))[:3]]
    whole, half = (module(*images, torch.zeros(1)) for module in modules)
    for name in NAMES:
        assert half[name].dtype == torch.float32
        error = (half[name] - whole[name]).norm() / whole[name].norm()
        assert 0 < error < 0.03, name
    assert all(field.dtype == torch.float32 for field in half["fields"])


def test_half_precision_begins_with_the_identity_and_learns():
    module = fsdiffreg_net("recommended", {"width": 4, "half_precision": True})
    found = module(*(image.float() for image in inputs(1, (16, 16, 8))[:3]), torch.zeros(1))
    assert torch.equal(found["ddf"], torch.zeros(1, 3, 16, 16, 8))
    found["ddf"].sum().backward()
    assert module.force_head.weight.grad.abs().max() > 0
    assert module.field_head[-1].weight.grad.dtype == torch.float32


@pytest.mark.parametrize("options", [{}, {"upsampling": "trilinear_scaled", "multipliers": (1,), "res_blocks": 2}])
def test_equal_fields_are_their_mean(options):
    module, constant = network(**options), torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
    for layer in (*(head.blend for head in module.heads), module.field_head[-1]):
        nn.init.zeros_(layer.weight)
        layer.bias.data = constant.clone()
    expected = constant.view(3, 1, 1, 1).expand(1, 3, *SHAPE)
    torch.testing.assert_close(module(*inputs())["ddf"], expected)


@pytest.mark.parametrize("steps", [0, 5])
def test_one_voxel_of_a_coarse_cell_is_its_size_in_voxels_of_the_image(steps):
    """The deepest of two levels under a stem of (2, 2, 1): four voxels, four and two; and one field of five."""
    module = network(upsampling="trilinear_scaled", stem_pooling=(2, 2, 1), diffeomorphic_steps=steps)
    nn.init.ones_(module.heads[0].blend.bias)
    expected = torch.tensor([4.0, 4.0, 2.0], dtype=torch.float64).view(3, 1, 1, 1) / 5
    torch.testing.assert_close(module(*inputs())["ddf"], expected.expand(1, 3, *SHAPE))


@pytest.mark.parametrize("options", [{}, {"upsampling": "trilinear_scaled", "fusion": "projected"}])
@pytest.mark.parametrize("steps", [0, 4])
@torch.no_grad()
def test_published_axis_order_maps_onto_ours(options, steps):
    """Kernels and images turned along, and the rows that are axes: the same score and the same field, turned."""
    module = trained(diffeomorphic_steps=steps, **options)
    images = inputs(2, (4, 8, 12))
    expected = module(*images)
    order = [1, 2, 0]
    for parameter in module.parameters():
        if parameter.ndim == 5:
            parameter.data = turned(parameter.data).contiguous()
    for layer in (
        *(head.narrow for head in module.heads),
        *(head.blend for head in module.heads),
        module.field_head[2],
    ):
        layer.weight.data, layer.bias.data = layer.weight.data[order], layer.bias.data[order]
    for head in module.heads:
        head.blend.weight.data = head.blend.weight.data[:, order]
    found = module(*(turned(image) for image in images[:3]), images[3])
    assert expected["ddf"].std() > 1e-2
    torch.testing.assert_close(found["score"], turned(expected["score"]))
    torch.testing.assert_close(found["ddf"], turned(expected["ddf"])[:, order])


@pytest.mark.parametrize("options", [{}, {"upsampling": "trilinear_scaled", "stem_pooling": (2, 2, 1)}])
@torch.no_grad()
def test_pairs_of_a_batch_do_not_meet(options):
    module, images = trained(diffeomorphic_steps=3, **options), inputs(2)
    both = module(*images)
    single = [module(*(image[b : b + 1] for image in images)) for b in range(2)]
    for name in NAMES:
        torch.testing.assert_close(both[name], torch.cat([found[name] for found in single]))


@torch.no_grad()
def test_time_reaches_score_and_field():
    module, (moving, fixed, noisy, times) = trained(), inputs()
    found, later = (module(moving, fixed, noisy, times + extra) for extra in (0, 1000))
    assert all((found[name] - later[name]).abs().max() > 1e-3 for name in NAMES)


@torch.no_grad()
def test_registration_does_not_disturb_the_score():
    module, images = trained(), inputs()
    before = module(*images)
    for parameter in (*module.registration.parameters(), *module.heads.parameters(), *module.field_head.parameters()):
        nn.init.normal_(parameter)
    after = module(*images)
    assert torch.equal(before["score"], after["score"])
    assert (before["ddf"] - after["ddf"]).abs().max() > 1e-2


@pytest.mark.parametrize("guided", [True, False])
@torch.no_grad()
def test_guidance_is_the_only_way_from_diffusion_to_field_but_the_score(guided):
    module, images = trained(guided=guided), inputs()
    nn.init.zeros_(module.score_head[2].weight)
    before = module(*images)["ddf"]
    for parameter in module.diffusion.parameters():
        nn.init.normal_(parameter)
    assert torch.equal(module(*images)["ddf"], before) != guided


@pytest.mark.parametrize("forces", [False, True])
def test_every_parameter_learns(forces):
    module, images = trained(width=8, forces=forces), inputs()
    found = module(*images)
    (found["ddf"].square().sum() + found["score"].square().sum()).backward()
    idle = [name for name, parameter in module.named_parameters() if parameter.grad.abs().max() < 1e-12]
    assert idle == []


@torch.no_grad()
def test_velocity_of_many_voxels_does_not_fold_as_its_displacement_would():
    velocity = nn.functional.interpolate(2 * normal(3, 1, 3, 4, 4, 3), (16, 16, 8), mode="trilinear")
    images = inputs(1, (16, 16, 8))
    folds = [
        (jacobian_determinant(moving_by(velocity, diffeomorphic_steps=steps)(*images)["ddf"]) <= 0).double().mean()
        for steps in (0, 7)
    ]
    assert folds[0] > 0.05
    assert folds[1] == 0


@torch.no_grad()
def test_opposite_velocities_undo_each_other():
    lines = [torch.linspace(0, torch.pi, size, dtype=torch.float64) for size in (16, 16, 8)]
    hill = lines[0].sin()[:, None, None] * lines[1].sin()[:, None] * lines[2].sin()
    velocity = torch.stack([2 * hill, -1.5 * hill, hill])[None]
    images = inputs(1, (16, 16, 8))
    there, back = (moving_by(sign * velocity, diffeomorphic_steps=7)(*images)["ddf"] for sign in (1, -1))
    assert there.abs().max() > 1.5
    assert compose(there, back)[..., 2:-2, 2:-2, 2:-2].abs().max() < 0.1


@pytest.mark.parametrize("pooling", [(1, 1, 1), (2, 2, 1), (1, 2, 4), (3, 1, 2)])
def test_cells_are_gathered_and_scattered_without_loss(pooling):
    image = normal(0, 2, 1, 6, 4, 8)
    cells = _gather(image, pooling)
    torch.testing.assert_close(cells.mean(1, keepdim=True), nn.functional.avg_pool3d(image, pooling))
    assert torch.equal(_scatter(cells, pooling), image)


def test_images_are_gathered_one_by_one():
    """Images of different levels keep them apart in whatever order the channels are."""
    cells = _gather(torch.arange(3.0).view(1, 3, 1, 1, 1).expand(1, 3, 4, 4, 4), (2, 2, 1))
    assert cells.shape == (1, 12, 2, 2, 4)
    assert cells[0, :, 0, 0, 0].sort().values.tolist() == [0.0] * 4 + [1.0] * 4 + [2.0] * 4


@pytest.mark.parametrize(
    ("options", "message"),
    [({"upsampling": "cubic"}, "trilinear_scaled, got 'cubic'"), ({"fusion": "sum"}, "projected, got 'sum'")],
)
def test_unknown_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        network(**options)


def test_unknown_preset_is_refused():
    with pytest.raises(ValueError, match="reference, recommended, got 'best'"):
        fsdiffreg_net("best")


def test_axes_that_do_not_halve_are_refused():
    with pytest.raises(ValueError, match=r"multiples of \(4, 4, 2\), got \(8, 10, 4\)"):
        network(stem_pooling=(2, 2, 1))(*inputs(1, (8, 10, 4)))
