"""Images of whole brains, with and without atrophy, from the fields of a cortex."""

import pytest
import torch
from monai.engines import SupervisedEvaluator
from torch import nn

from monai_cortex.errors import ConfigError
from monai_cortex.inferers import (
    AtrophySeries,
    BridgeInferer,
    CortexSynthesizer,
    DirectInferer,
    NoiseDiffusionInferer,
)
from monai_cortex.networks.schedulers import BrownianBridgeScheduler
from monai_cortex.transforms import cortex_channels


class Pointwise(nn.Module):
    """Any function of the channels of a voxel, so that windows do not matter."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.4))

    def forward(self, x, timesteps, context=None):
        return self.weight * x[:, :1] + 0.3 * x.mean(1, keepdim=True) + timesteps.reshape(-1, 1, 1, 1, 1) / 5000


def synthesizer(sampler=None, **options):
    sampler = sampler or BridgeInferer(BrownianBridgeScheduler())
    options = {"sampling": {"num_inference_steps": 3}, "windows": {"roi_size": (16, 16, 16)}, **options}
    return CortexSynthesizer(sampler, cortex_channels(), **options)


def draw(person, **options):
    return synthesizer(**options).draw(person, Pointwise())


def test_images_fill_the_grid_and_lie_between_zero_and_one(synthetic_person):
    brain = draw(synthetic_person)
    assert brain.image.shape == synthetic_person["image"].shape[1:]
    assert 0 <= brain.image.min() < brain.image.max() <= 1
    assert brain.deviation is None
    assert brain.atrophied == {}
    assert brain.seconds > 0


def test_equal_seeds_draw_equal_images(synthetic_person):
    first, again, other = (draw(synthetic_person, seed=seed).image for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_draws_have_consecutive_seeds(synthetic_person):
    brain = draw(synthetic_person, draws=3, seed=5)
    alone = [draw(synthetic_person, seed=seed).image for seed in (5, 6, 7)]
    assert torch.equal(brain.image, alone[0])
    torch.testing.assert_close(brain.deviation, torch.stack(alone).std(0))
    assert brain.deviation.max() > 0


def test_no_atrophy_is_the_control_exactly(synthetic_person):
    brain = draw(synthetic_person, atrophy=AtrophySeries((0.0, 1.0)))
    image, pial = brain.atrophied[0.0]
    assert torch.equal(image, brain.image)
    for own, mesh in zip(synthetic_person["pial"], pial, strict=True):
        assert torch.equal(own.vertices, mesh.vertices)
    assert not torch.equal(brain.atrophied[1.0][0], brain.image)


def test_atrophy_stays_in_its_region(synthetic_person):
    """In the anterior half the cortex gets thinner by the dose; where no vertex moved, no voxel changes."""
    brain = draw(synthetic_person, atrophy=AtrophySeries((1.0,), ("front",), taper_mm=4.0))
    image, pial = brain.atrophied[1.0]
    moved = []
    for own, mesh, weights, side in zip(synthetic_person["pial"], pial, brain.regions, ("lh", "rh"), strict=True):
        steps = (own.vertices - mesh.vertices).norm(dim=1)
        torch.testing.assert_close(steps, weights.double(), atol=1e-6, rtol=0)
        region = synthetic_person["labels"][side] == 0
        border = (weights > 0) & ~region
        assert weights[region].max() == 1
        assert torch.cdist(own.vertices[border], own.vertices[region]).amin(1).max() <= 4
        moved.append(own.vertices[weights > 0])
    affine = synthetic_person["image"].affine.double()
    changed = (image - brain.image).abs() > 1e-6
    points = changed.nonzero().double() @ affine[:3, :3].T + affine[:3, 3]
    assert len(points) > 20
    assert torch.cdist(points, torch.cat(moved)).amin(1).max() < 8


@pytest.mark.parametrize("sampler", [NoiseDiffusionInferer(), DirectInferer()])
def test_peers_draw_too(synthetic_person, sampler):
    first, again = (draw(synthetic_person, sampler=sampler).image for _ in range(2))
    assert torch.equal(first, again)
    assert first.isfinite().all()


def test_evaluator_draws_whole_batches(synthetic_person):
    evaluator = SupervisedEvaluator(
        device="cpu",
        val_data_loader=[[synthetic_person]],
        network=Pointwise(),
        iteration_update=synthesizer(draws=2),
        decollate=False,
    )
    evaluator.run()
    (result,) = evaluator.state.output
    assert torch.equal(result["brain"].image, draw(synthetic_person, draws=2).image)
    assert result["synthesis"] == {"num_inference_steps": 3, "eta": 1.0, "draws": 2}


def test_nothing_to_draw_is_refused():
    with pytest.raises(ConfigError, match="draws"):
        synthesizer(draws=0)
