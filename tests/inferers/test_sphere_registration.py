"""From two spheres to places: a subject whose features are the target's, turned and smoothly warped."""

import math
import warnings

import pytest
import torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # torch finds parts of MONAI and of ignite out of date
    from monai.data import DataLoader, Dataset
    from monai.data.utils import no_collation
    from monai.engines import SupervisedEvaluator
    from monai.engines.utils import IterationEvents

from monai_cortex.data import registration_subjects, registration_target
from monai_cortex.geometry.distortion import folded
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.random_warp import random_warp
from monai_cortex.geometry.rotation import random_rotation
from monai_cortex.geometry.sphere import arc_angle
from monai_cortex.geometry.sphere_map import SphereMap
from monai_cortex.inferers import ScoreGuidedRegistration, SphereRegistrar, register_sphere, sphere_registration
from monai_cortex.inferers.sphere_refinement import RefinementStage
from monai_cortex.networks.nets import SpectralScoreNet, SphericalWarpNet
from monai_cortex.transforms import LoadHemispheresd

MESH = icosphere(4)
ROTATION = random_rotation(torch.Generator().manual_seed(3))


def network_of(features=1, size=0.0):
    """A small network; its fields depend on the noise if its last layers are not 0."""
    torch.manual_seed(0)
    options = {"degree": 6, "level": 3, "channels": (4, 4)}
    score = SpectralScoreNet(features, features, **options)
    warp = SphericalWarpNet(features, field_degree=4, attention="gate", **options)
    if size:
        for parameter in warp.parameters():
            parameter.data += size * torch.randn_like(parameter)
    return ScoreGuidedRegistration(score, warp, 6, 3, passes=1, reverse_steps=1)


def mean_error(found, truth):
    return math.degrees(arc_angle(found, truth).mean())


@pytest.fixture(autouse=True, scope="module")
def _quick():
    stages = (RefinementStage(3, 4, 30, 2e-2, 0.1, features=10), RefinementStage(3, 8, 25, 1e-2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sphere_registration, "STAGES", stages)
        # Here both are the same anatomy, whose optimization would start anew; one test lets it.
        patch.setattr(sphere_registration, "are_one_persons", lambda *_: False)
        yield


@pytest.fixture(scope="module")
def pair(anatomy):
    """Target, subject, and where the subject's vertices belong: 4 degrees away from where a rotation takes them."""
    truth = random_warp(MESH, math.radians(4), torch.Generator().manual_seed(1), 4)
    fixed = SphereMap(MESH, anatomy()(MESH.vertices))
    return fixed, SphereMap(MESH, anatomy()(truth)).rotated(ROTATION), truth


@pytest.fixture(scope="module")
def found(pair):
    return register_sphere(*pair[:2], level=4)


def test_known_registration_is_found_without_new_folds(pair, found):
    _, moving, truth = pair
    assert mean_error(found.places, truth) < 0.7
    assert found.folded == folded(moving.mesh.vertices, found.places, MESH.faces) == 0
    assert found.scale == 1
    assert found.uncertainty is None
    assert found.seconds > 0
    torch.testing.assert_close(found.places.norm(dim=1), torch.ones(len(truth)).double(), atol=1e-12, rtol=0)
    turned = moving.mesh.vertices @ found.rotation.T
    assert 2 < mean_error(turned, truth) < 6


def test_turned_subject_goes_to_the_same_places(pair, found):
    """Whatever the rotation of the moving sphere, up to what its search leaves."""
    fixed, moving, _ = pair
    again = moving.rotated(random_rotation(torch.Generator().manual_seed(8)))
    assert mean_error(register_sphere(fixed, again, level=4).places, found.places) < 0.3


def test_neither_network_nor_refinement_is_an_error(pair):
    with pytest.raises(ValueError, match="allow one of them"):
        register_sphere(*pair[:2], None, refine=False)


@pytest.mark.parametrize("draws", [0, -1])
def test_impossible_number_of_draws(pair, draws):
    with pytest.raises(ValueError, match=f"draws must be 1 or more and stiffness above 0, got {draws}"):
        register_sphere(*pair[:2], draws=draws)


def test_draws_without_a_network_are_an_error(pair):
    with pytest.raises(ValueError, match="3 draws need a network"):
        register_sphere(*pair[:2], draws=3)


@pytest.mark.parametrize("stiffness", [0.0, -1.0, math.nan])
def test_impossible_stiffness(pair, stiffness):
    with pytest.raises(ValueError, match="stiffness above 0"):
        register_sphere(*pair[:2], network_of(), stiffness=stiffness)


def test_network_that_needs_more_features_is_an_error(pair):
    with pytest.raises(ValueError, match="made for 3 features, got 2"):
        register_sphere(*pair[:2], network_of(3), refine=False)


def test_untrained_network_leaves_the_rotation(pair):
    """Its field is 0, and it saw the first of the two features."""
    fixed, moving, _ = pair
    found = register_sphere(fixed, moving, network_of(), 4, refine=False)
    torch.testing.assert_close(found.places, moving.mesh.vertices @ found.rotation.T, atol=1e-7, rtol=0)
    assert found.uncertainty is None


def test_one_person_s_features_are_optimized_from_the_rotation(pair, monkeypatch):
    fixed, moving, _ = pair
    monkeypatch.setattr(sphere_registration, "are_one_persons", lambda *_: True)
    found, alone = register_sphere(fixed, moving, network_of(size=0.3), 3), register_sphere(fixed, moving, level=3)
    assert torch.equal(found.places, alone.places)


def test_refinement_goes_on_from_the_network(pair):
    """With the stages but the first; here, from the rotation."""
    fixed, moving, truth = pair
    found = register_sphere(fixed, moving, network_of(), 4)
    assert mean_error(found.places, truth) < 1.5
    assert found.folded == 0


def test_refinement_starts_at_the_field_of_the_network(pair, monkeypatch):
    """Steps of no length leave it as it was."""
    stages = (RefinementStage(3, 4, 9, 1.0), RefinementStage(3, 4, 1, 1e-12))
    monkeypatch.setattr(sphere_registration, "STAGES", stages)
    network, found = network_of(size=0.3), []
    for refine in (False, True):
        torch.manual_seed(5)
        found.append(register_sphere(*pair[:2], network, 3, refine=refine))
    torch.testing.assert_close(found[1].places, found[0].places, atol=1e-6, rtol=0)
    assert mean_error(found[0].places, pair[1].mesh.vertices @ found[0].rotation.T) > 0.1


def test_draws_tell_how_far_registrations_spread_and_leave_the_result(pair):
    fixed, moving, _ = pair
    network = network_of(size=0.3)
    torch.manual_seed(5)
    found = register_sphere(fixed, moving, network, 3, refine=False, draws=3)
    assert found.uncertainty.shape == (len(MESH.vertices),)
    assert 1e-3 < found.uncertainty.mean() < 60
    assert found.folded == 0
    torch.manual_seed(5)
    again = register_sphere(fixed, moving, network, 3, refine=False, draws=3)
    assert torch.equal(again.uncertainty, found.uncertainty)


def test_draws_that_do_not_differ_leave_no_uncertainty(pair):
    """The fields of an untrained network are 0."""
    found = register_sphere(*pair[:2], network_of(), 4, refine=False, draws=2)
    assert found.uncertainty.max() < 1e-5


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_cortex):
    place = tmp_path_factory.mktemp("registrar")
    write_cortex(place / "target", level=3)
    turns = write_cortex(place / "data" / "sub-1", 1, level=3)
    return place, turns


def evaluate(folder, network, **options):
    """One run of MONAI's evaluator; its last output and the events that it fired."""
    subjects = registration_subjects(folder / "data")
    loader = DataLoader(Dataset(subjects, LoadHemispheresd()), 1, collate_fn=no_collation)
    registrar = SphereRegistrar(registration_target(folder / "target"), level=3, **options)
    evaluator = SupervisedEvaluator("cpu", loader, network, iteration_update=registrar, decollate=False)
    fired = []
    evaluator.add_event_handler(IterationEvents.FORWARD_COMPLETED, lambda engine: fired.append(engine.state.output))
    evaluator.run()
    assert len(fired) == 1
    assert fired[0] is evaluator.state.output
    return fired[0]


def test_evaluator_registers_both_hemispheres(folder):
    place, turns = folder
    (found,) = evaluate(place, network_of(), use_network=False)
    assert set(found) == {"registrations", "targets", "features", "level"}
    assert found["features"] == ("sulc",)
    assert found["level"] == 3
    assert list(found["registrations"]) == list(found["targets"]) == ["lh", "rh"]
    for side, registration in found["registrations"].items():
        error = registration.rotation @ turns[side].T - torch.eye(3)
        assert error.norm() < 0.02
        assert mean_error(registration.places, icosphere(3).vertices) < 1


def test_comparison_adds_registrations_without_the_network(folder):
    place, _ = folder
    targets, (item,) = registration_target(place / "target", ("lh",)), registration_subjects(place / "data", ("lh",))
    hemispheres = LoadHemispheresd()(item)["hemispheres"]
    network = network_of(size=0.3)
    found = SphereRegistrar(targets, compare=True, level=3).register(hemispheres, network)
    alone = SphereRegistrar(targets, level=3).register(hemispheres, None)
    assert set(found) == set(alone) | {"unguided"}
    assert torch.equal(found["unguided"]["lh"].places, alone["registrations"]["lh"].places)
    assert not torch.equal(found["unguided"]["lh"].places, found["registrations"]["lh"].places)


def test_engine_s_network_and_options_reach_the_registration(folder):
    (found,) = evaluate(folder[0], network_of(size=0.3), refine=False, draws=2)
    assert all(one.uncertainty.max() > 1e-4 for one in found["registrations"].values())


def test_words_of_a_command_line_switch_refinement_and_comparison():
    registrar = SphereRegistrar({}, compare="false", refine="No")
    assert registrar.compare is False
    assert registrar.options["refine"] is False
    assert SphereRegistrar({}, compare="true").compare is True
