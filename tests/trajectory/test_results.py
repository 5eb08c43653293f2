"""What a trajectory says in the end."""

import pytest
import torch

from monai_cortex.data import write_volume
from monai_cortex.geometry.icosphere import icosphere
from monai_cortex.geometry.mesh import Mesh
from monai_cortex.trajectory.measure import MeasuredPlace
from monai_cortex.trajectory.results import summarize, write_results

FLAWS = {"turned_triangles": 0, "white_outside_pial_voxels": 1, "white_crossing_triangles": 0.0}


def step(number, thickness, found, crossing=0.0):
    side = FLAWS | {"pial_crossing_triangles": crossing}
    return {
        "name": f"step-{number:02d}",
        "ends": ["a", "a"] if number == 0 else ["a", "b"],
        "share": number / 2,
        "thickness_mm": thickness,
        "found_thickness_mm": found,
        "thickness_error_mm": abs(found - thickness) + 0.1,
        "white_area_mm2": 1e4,
        "pial_area_mm2": 1.1e4 + number,
        "cortex_volume_mm3": 3e4,
        "hemispheres": {"lh": side},
    }


@pytest.fixture
def record():
    return {
        "subjects": ["a", "b", "c"],
        "stations": ["a", "b"],
        "target": "c",
        "joined": "c",
        "convention": "slerp of codes",
        "settings": {"seed": 3},
        "start_mm": 2.5,
        "model": {"vertices": 100, "components": 2},
        "equal_grid": True,
        "steps": [step(0, 2.6, 2.5), step(1, 2.2, 2.4, crossing=5.0)],
    }


def test_numbers_of_the_whole(record):
    found = summarize(record)
    assert found["true_change_mm"] == pytest.approx(-0.4)
    assert found["found_change_mm"] == pytest.approx(-0.1)
    assert found["mean_thickness_error_mm"] == pytest.approx(0.15)
    assert found["thickness_error_mm"] == pytest.approx(0.25)
    assert found["crossing_triangles"] == 5


def test_report_tells_numbers_flaws_and_who_joined(record, tmp_path):
    ball = icosphere(2)
    affine = torch.diag(torch.tensor([4.0, 4, 4, 1]))
    affine[:3, 3] = -24
    grid = torch.stack(torch.meshgrid(*[torch.arange(13.0)] * 3, indexing="ij"), -1)
    distance = (4 * grid - 24).norm(dim=-1)
    for entry in record["steps"]:
        for name, values in (("synth_T1w", distance < 15), ("white_sdf", distance - 12), ("pial_sdf", distance - 15)):
            write_volume(tmp_path / "synthesis" / entry["name"] / f"{name}.nii.gz", values.float().numpy(), affine)
    pair = tuple(Mesh(radius * ball.vertices, ball.faces) for radius in (12.0, 15.0))
    place = MeasuredPlace({}, {}, {"lh": pair}, {"lh": torch.full((2, len(ball.vertices)), 3.0)})
    write_results(tmp_path, record, [place] * 2)
    page = (tmp_path / "report.html").read_text()
    for text in (
        "2.6",
        "2.4",
        "two have no way around their mean",
        "slerp of codes",
        "step-01: pial triangles that cut",
    ):
        assert text in page
    assert "7 of 8" not in page
    assert page.count("✗ failed") == 1
    assert (tmp_path / "figures" / "trajectory.png").read_bytes().startswith(b"\x89PNG")
