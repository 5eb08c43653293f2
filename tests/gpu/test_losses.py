"""Losses and their gradients."""

import torch

from monai_cortex import losses
from monai_cortex.geometry.icosphere import icosphere


def test_deconvolution(agree, normal):
    target = {
        "dwi": normal(0, 1, 9, 4, 3, 5),
        "design": normal(1, 1, 9, 16),
        "mask": torch.ones(1, 1, 4, 3, 5).double(),
    }
    loss = losses.DeconvolutionLoss(degree=4, nside=4).double()
    agree(lambda prediction: loss.to(prediction.device)(prediction, _on(target, prediction)), normal(2, 1, 16, 4, 3, 5))


def test_score_weighted_correlation(agree, normal):
    agree(losses.ScoreWeightedNCCLoss(5), *(normal(seed, 1, 1, 12, 11, 10) for seed in range(3)))


def test_score_matching(agree, normal):
    agree(losses.ScoreMatchingLoss(), normal(0, 2, 1, 25), normal(1, 2, 1, 25))


def test_sphere_registration(agree, normal):
    mesh = icosphere(2)
    moved = torch.nn.functional.normalize(mesh.vertices + 0.02 * normal(0, *mesh.vertices.shape), dim=-1)
    features = [normal(seed, 2, len(moved)) for seed in (1, 2)]
    agree(losses.SphereRegistrationLoss(mesh).double(), *features, moved, 0.1 * normal(3, 3, 16), tolerance=1e-5)


def _on(target, like):
    return {name: value.to(like.device) for name, value in target.items()}
