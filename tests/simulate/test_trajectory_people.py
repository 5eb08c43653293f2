"""Three people that registration and synthesis both read, with known partners."""

import pytest
import torch

from monai_cortex.data import (
    check_sphere,
    read_registration_inputs,
    read_surface_geometry,
    read_synthesis_subject,
    registration_subjects,
    synthesis_subjects,
)
from monai_cortex.geometry.sphere import arc_angle
from monai_cortex.simulate import write_trajectory_people

NAMES = ["fsaverage5", "fsaverage5_mirrored", "synthetic_thin"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("nilearn.datasets")
    place = tmp_path_factory.mktemp("people")
    write_trajectory_people(place)
    return place


def read(folder, person, kind):
    return read_surface_geometry(folder / person / "surf" / kind).mesh


def thickness(folder, person):
    white, pial = (read(folder, person, f"lh.{kind}").vertices for kind in ("white", "pial"))
    values = (pial - white).norm(dim=1)
    return float(values[values > 0.5].mean())


def test_both_bundles_read_all_three(folder):
    for items in (synthesis_subjects(folder), registration_subjects(folder)):
        assert [item["subject"] for item in items] == NAMES
    for item in synthesis_subjects(folder):
        assert set(read_synthesis_subject(item).pial) == {"lh", "rh"}
    for item in registration_subjects(folder)[2:]:
        read_registration_inputs(item)


def test_the_mirror_image_is_the_other_half(folder):
    right, left = read(folder, "fsaverage5", "rh.pial"), read(folder, "fsaverage5_mirrored", "lh.pial")
    assert torch.equal(left.vertices, right.vertices * torch.tensor([-1.0, 1, 1]))


def test_the_synthetic_person_is_thinner_and_its_sphere_is_known_to_be_off(folder):
    lost = thickness(folder, "fsaverage5_mirrored") - thickness(folder, "synthetic_thin")
    assert 0.3 < lost < 0.7
    spheres = [check_sphere(read_surface_geometry(folder / name / "surf" / "lh.sphere"))[0] for name in NAMES[1:]]
    assert torch.equal(spheres[0].faces, spheres[1].faces)
    assert 3 < float(torch.rad2deg(arc_angle(*(sphere.vertices for sphere in spheres))).mean()) < 25


def test_people_that_are_there_are_left(folder):
    path = folder / "synthetic_thin" / "surf" / "lh.white"
    before = path.stat().st_mtime_ns
    write_trajectory_people(folder, seed=1)
    assert path.stat().st_mtime_ns == before
