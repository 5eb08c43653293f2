"""Agreement over batches, against harmonics whose correlation is known."""

import math

import pytest
import torch

from monai_cortex.geometry.harmonics import real_harmonics
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.inferers.score_guided_registration import GuidedRegistration, GuidedStep
from monai_cortex.metrics import RegistrationAgreement

MESH = icosphere(4)
Y = real_harmonics(MESH.vertices, 3).T.float()


def registration(read, moving, earlier=()):
    """What the networks give for maps ``(B, C, V)``; earlier passes read something else."""
    nothing = torch.zeros(len(read), 3, 1), MESH.vertices.float().expand(len(read), -1, -1)
    steps = [GuidedStep(*nothing, *maps) for maps in (*earlier, (read, moving))]
    return GuidedRegistration(steps, torch.ones(len(read)), None, None)


def mixture(angle):
    return math.cos(angle) * Y[5] + math.sin(angle) * Y[10]


def test_equal_maps_agree_wholly_and_opposite_ones_not_at_all():
    maps = Y[4:8].view(2, 2, -1)
    for sign in (1, -1):
        metric = RegistrationAgreement()
        metric(registration(maps, sign * maps), None)
        assert metric.aggregate().item() == pytest.approx(sign, abs=1e-6)


def test_mean_over_features_pairs_and_batches():
    angles = torch.tensor([0.3, 0.9, 1.4, 2.0, 2.9, 0.1])
    read, moving = torch.stack([mixture(a) for a in angles.tolist()]).view(3, 2, -1), Y[5].expand(3, 2, -1)
    metric = RegistrationAgreement()
    metric(registration(read[:2], moving[:2]))
    metric(registration(read[2:], moving[2:]))
    assert metric.aggregate().shape == ()
    assert metric.aggregate().item() == pytest.approx(angles.cos().mean().item(), abs=1e-3)
    metric.reset()
    metric(registration(read[:1], moving[:1]))
    assert metric.aggregate().item() == pytest.approx(angles[:2].cos().mean().item(), abs=1e-3)


def test_last_pass_counts_alone():
    maps = Y[4:6][:, None]
    metric = RegistrationAgreement()
    metric(registration(maps, maps, earlier=[(-maps, maps), (maps.flip(0), maps)]))
    assert metric.aggregate().item() == pytest.approx(1, abs=1e-6)


def test_order_and_units_do_not_matter():
    read, moving = Y[[5, 9]][:, None] + 0.3 * Y[[2, 3]][:, None], Y[[5, 9]][:, None]
    found = []
    for result in (registration(read, moving), registration(moving, 3 * read + 2)):
        metric = RegistrationAgreement()
        metric(result)
        found.append(metric.aggregate().item())
    assert found[0] == pytest.approx(found[1], abs=1e-6)
    assert found[0] == pytest.approx(1 / math.sqrt(1.09), abs=1e-3)


def test_tensors_and_other_meshes_are_refused():
    with pytest.raises(ValueError, match="ScoreGuidedRegistration"):
        RegistrationAgreement()(torch.zeros(1, 1, 42))
    with pytest.raises(ValueError, match="got 100"):
        RegistrationAgreement()(registration(torch.rand(1, 1, 100), torch.rand(1, 1, 100)))
