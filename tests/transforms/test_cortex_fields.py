"""Fields of the cortex: concentric balls, edges, nesting, what is refused."""

import pytest
import torch
from monai.data import MetaTensor

from monai_cortex.errors import GeometryError
from monai_cortex.transforms import CortexFields, CortexFieldsD, CortexFieldsd, CortexFieldsDict

AFFINE = torch.diag(torch.tensor([1.0, 1.5, 2.0, 1.0], dtype=torch.float64))
SHAPE = (30, 20, 16)


def ball(radius, affine=AFFINE):
    index = torch.stack(torch.meshgrid(*map(torch.arange, SHAPE), indexing="ij"), -1).double()
    points = (index - (torch.tensor(SHAPE) - 1) / 2) @ AFFINE[:3, :3].T
    return MetaTensor((points.norm(dim=-1) - radius)[None].float(), affine=affine)


def test_ribbon_between_balls_has_their_volumes_difference():
    cortex, ribbon, edges = CortexFields()(ball(7.0), ball(11.0))
    assert cortex.shape == ribbon.shape == edges.shape == (1, *SHAPE)
    assert ribbon.unique().tolist() == edges.unique().tolist() == [-1, 1]
    assert torch.equal(cortex.affine, AFFINE)
    volume = (ribbon > 0).sum().item() * 3.0
    assert volume == pytest.approx(4 / 3 * torch.pi * (11**3 - 7**3), rel=0.03)
    assert torch.equal(cortex == 0, ribbon > 0)
    assert torch.equal(cortex < 0, ball(7.0) < 0)


def test_edges_touch_changes_of_sign():
    white = ball(9.0)
    edges = CortexFields()(white, ball(100.0))[2][0] > 0
    changes = torch.zeros(SHAPE, dtype=torch.bool)
    for axis in range(3):
        inside = (white[0] < 0).as_tensor().transpose(0, axis)
        step = inside[1:] != inside[:-1]
        view = changes.transpose(0, axis)
        view[1:] |= step
        view[:-1] |= step
    near = torch.nn.functional.max_pool3d(changes[None].float(), 3, 1, 1)[0] > 0
    assert edges.any()
    assert not (edges.as_tensor() & ~near).any()


def test_edges_of_each_surface():
    apart = CortexFields("per_surface")(ball(7.0), ball(11.0))[2]
    assert apart.shape == (2, *SHAPE)
    assert torch.equal(apart.amax(0, keepdim=True), CortexFields()(ball(7.0), ball(11.0))[2])


def test_pair_agrees():
    data = {"w": ball(7.0), "p": ball(11.0), "other": 1}
    result = CortexFieldsd("w", "p")(data)
    assert result.keys() == {*data, "cortex", "ribbon", "edges"}
    for name, field in zip(("cortex", "ribbon", "edges"), CortexFields()(data["w"], data["p"]), strict=True):
        assert torch.equal(result[name], field)
    assert CortexFieldsd("w", "none", allow_missing_keys=True)(data).keys() == data.keys()
    assert CortexFieldsD is CortexFieldsDict is CortexFieldsd


def test_swapped_surfaces_are_refused():
    with pytest.raises(GeometryError, match=r"100% of the ribbon"):
        CortexFields()(ball(11.0), ball(7.0))


def test_a_few_voxels_outside_are_warned_of():
    white = ball(7.0)
    white[0, 0, 0, :3] = -0.1
    with pytest.warns(UserWarning, match="3 voxels lie inside the white but outside the pial"):
        CortexFields()(white, ball(11.0))


def test_bad_input_is_refused():
    with pytest.raises(GeometryError, match="distance to the white surface"):
        CortexFields()(ball(7.0).as_tensor(), ball(11.0))
    with pytest.raises(GeometryError, match="two grids"):
        CortexFields()(ball(7.0), ball(11.0, 2 * AFFINE))
    with pytest.raises(ValueError, match="per_surface"):
        CortexFields("per surface")
