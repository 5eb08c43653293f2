"""Shape models: recovery, whitening, the algebra of small training sets, files."""

import io
import math
import zipfile

import numpy as np
import pytest
import torch

from monai_cortex.errors import GeometryError, InputFileError
from monai_cortex.geometry.shape_model import ShapeModel


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture(scope="module")
def shapes():
    """Twelve people of 50 vertices, full rank, far from the origin."""
    return 100 + 5 * draw(12, 50, 3)


@pytest.fixture(scope="module")
def model(shapes):
    return ShapeModel.fit(shapes, topology="ab" * 32, features="white_pial")


def test_shapes_of_low_rank_are_recovered():
    weights = torch.tensor([10.0, 3, 1, 0.1], dtype=torch.float64)
    shapes = draw(1, 200, 3) + torch.einsum("sk,k,kvc->svc", draw(30, 4, seed=1), weights, draw(4, 200, 3, seed=2))
    model = ShapeModel.fit(shapes)
    assert model.deviations.shape == (4,)
    torch.testing.assert_close(model.decode(model.encode(shapes)), shapes, atol=1e-6, rtol=0)


def test_directions_are_orthonormal_and_deviations_fall(model):
    flat = model.directions.flatten(1)
    torch.testing.assert_close(flat @ flat.T, torch.eye(11, dtype=torch.float64), atol=1e-9, rtol=0)
    assert (model.deviations.diff() <= 0).all()


def test_components_are_those_of_the_covariance(shapes):
    model = ShapeModel.fit(shapes, 3)
    eigenvalues, vectors = torch.linalg.eigh(torch.cov(shapes.flatten(1).T))
    torch.testing.assert_close(model.deviations**2, eigenvalues.flip(0)[:3])
    cosines = (model.directions.flatten(1) * vectors.flip(1)[:, :3].T).sum(1).abs()
    torch.testing.assert_close(cosines, torch.ones(3, dtype=torch.float64))


def test_codes_are_white(shapes, model):
    codes = model.encode(shapes)
    torch.testing.assert_close(codes.mean(0), torch.zeros(11, dtype=torch.float64), atol=1e-9, rtol=0)
    torch.testing.assert_close(torch.cov(codes.T), torch.eye(11, dtype=torch.float64))
    torch.testing.assert_close(model.decode(torch.zeros(11)), shapes.mean(0))


def test_code_of_a_decoded_code_is_the_code(shapes):
    model = ShapeModel.fit(shapes, 5)
    codes = draw(4, 5, seed=3)
    torch.testing.assert_close(model.encode(model.decode(codes)), codes)
    once = model.decode(model.encode(shapes))
    assert not torch.allclose(once, shapes, atol=0.1)
    torch.testing.assert_close(model.decode(model.encode(once)), once)


def test_full_rank_codes_have_one_norm_and_one_angle(shapes, model):
    """The algebra of N - 1 components: no evidence of anything about people."""
    codes, count = model.encode(shapes), len(shapes)
    torch.testing.assert_close(
        codes.square().sum(1), torch.full((count,), (count - 1) ** 2 / count, dtype=torch.float64)
    )
    unit = codes / codes.norm(dim=1, keepdim=True)
    cosines = (unit @ unit.T)[~torch.eye(count, dtype=torch.bool)]
    torch.testing.assert_close(cosines, torch.full_like(cosines, -1 / (count - 1)))
    middle = model.lerp(codes[0], codes[1], 0.5).norm() / codes[0].norm()
    assert middle.item() == pytest.approx(math.sqrt((1 - 1 / (count - 1)) / 2))
    assert model.slerp(codes[0], codes[1], 0.5).norm().item() == pytest.approx(codes[0].norm().item())


def test_samples_are_normal_and_seeds_decide(model):
    codes = model.sample(4000, torch.Generator().manual_seed(0))
    assert codes.shape == (4000, 11)
    assert codes.std().item() == pytest.approx(1, abs=0.02)
    assert torch.equal(codes, model.sample(4000, torch.Generator().manual_seed(0)))
    spread = model.decode(codes).flatten(1).var(0).sum().item()
    assert spread == pytest.approx(model.deviations.square().sum().item(), rel=0.05)


def test_moving_all_shapes_moves_the_mean_alone(shapes, model):
    moved = ShapeModel.fit(shapes + 7)
    torch.testing.assert_close(moved.mean, model.mean + 7)
    torch.testing.assert_close(moved.encode(shapes + 7).abs(), model.encode(shapes).abs())


def test_standardized_features_weigh_alike(shapes):
    unequal = torch.cat([shapes, 1e-3 * draw(12, 50, 1, seed=5)], 2)
    unequal[:, 0] = 3.0
    model = ShapeModel.fit(unequal, standardize=True)
    assert (model.scale[0] == 1).all()
    torch.testing.assert_close(model.scale[1:], unequal.std(0)[1:])
    torch.testing.assert_close(model.decode(model.encode(unequal)), unequal)
    share = model.directions[0, 1:].square().sum(0)
    assert share[3] / share.sum() > 0.1
    assert ShapeModel.fit(unequal).directions[0, :, 3].square().sum() < 1e-4


def test_more_components_than_shapes_span_are_not_there(shapes):
    assert len(ShapeModel.fit(shapes, 8192).deviations) == 11
    twice = torch.cat([shapes[:4], shapes[:4]])
    assert len(ShapeModel.fit(twice).deviations) == 3


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (draw(1, 5, 3), "two finite shapes"),
        (draw(5, 3), "two finite shapes"),
        (draw(4, 5, 3) * math.nan, "two finite shapes"),
        (draw(1, 5, 3).expand(4, 5, 3), "all shapes are the same"),
    ],
)
def test_shapes_that_cannot_be_modeled_are_refused(bad, words):
    with pytest.raises(ValueError, match=words):
        ShapeModel.fit(bad)


def test_wrong_sizes_are_refused(shapes, model):
    with pytest.raises(ValueError, match="one component"):
        ShapeModel.fit(shapes, 0)
    with pytest.raises(ValueError, match=r"\(50, 3\)"):
        model.encode(shapes[:, 1:])
    with pytest.raises(ValueError, match="11 numbers, got 10"):
        model.decode(torch.zeros(10))


@pytest.fixture
def file(tmp_path, model):
    model.save(tmp_path / "shape.model")
    return tmp_path / "shape.model"


def test_file_holds_the_model(file, model):
    found = ShapeModel.load(file, "ab" * 32)
    for name in ("mean", "scale", "directions", "deviations"):
        assert torch.equal(getattr(found, name), getattr(model, name))
    assert (found.topology, found.features) == (model.topology, model.features)
    with np.load(file, allow_pickle=False) as content:
        assert all(content[name].dtype != object for name in content.files)


def test_model_of_other_meshes_is_refused(file, model):
    with pytest.raises(GeometryError, match="other meshes"):
        ShapeModel.load(file, "cd" * 32)
    with pytest.raises(GeometryError, match="abababababab"):
        model.require_topology("")


def refusal(path):
    with pytest.raises(InputFileError) as caught:
        ShapeModel.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("size", [0, 1, 10, 500, 5000])
def test_cut_file_is_refused(file, size):
    file.write_bytes(file.read_bytes()[:size])
    refusal(file)


def test_damaged_bytes_give_a_refusal_or_the_model(file, model):
    """The archive's checksums find what was changed, unless it is in what nobody reads."""
    content, refused = file.read_bytes(), 0
    for place in np.random.default_rng(0).integers(0, len(content), 150):
        file.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            found = ShapeModel.load(file)
        except InputFileError:
            refused += 1
        else:
            assert torch.equal(found.directions, model.directions)
            assert torch.equal(found.mean, model.mean)
    assert refused > 100


def test_array_larger_than_any_memory_is_refused(tmp_path, file):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 50,)})
    with np.load(file) as content:
        arrays = {**content}
    del arrays["mean"]
    np.savez(tmp_path / "a.npz", **arrays)
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("mean.npy", header.getvalue())
    refusal(tmp_path / "a.npz")


def test_foreign_files_are_refused(tmp_path):
    refusal(tmp_path / "missing.npz")
    refusal(tmp_path)
    (tmp_path / "text.npz").write_text("no archive")
    refusal(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", mean=np.zeros(3))
    refusal(tmp_path / "other.npz")
    np.save(tmp_path / "array.npy", np.zeros(3))
    refusal(tmp_path / "array.npy")
    with zipfile.ZipFile(tmp_path / "zip.npz", "w") as archive:
        archive.writestr("format.npy", b"nothing")
    refusal(tmp_path / "zip.npz")


def test_pickles_are_not_run(tmp_path, model):
    arrays = {name: getattr(model, name).numpy() for name in ("mean", "scale", "directions")}
    texts = {"format": "monai_cortex shape model 1", "topology": "", "features": ""}
    np.savez(tmp_path / "a.npz", **arrays, deviations=np.array([{}], object), **texts)
    refusal(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("deviations", np.ones(10)),
        ("deviations", -np.ones(11)),
        ("deviations", np.ones(11, int)),
        ("deviations", np.float64(1)),
        ("deviations", np.full(11, np.nan)),
        ("scale", np.zeros((50, 3))),
        ("mean", np.zeros((50, 2))),
        ("mean", np.zeros(3)),
        ("directions", np.zeros((11, 50))),
        ("format", "monai_cortex shape model 99"),
        ("mean", np.array(["text"])),
    ],
)
def test_contradicting_arrays_are_refused(file, name, value):
    with np.load(file) as content:
        arrays = {**content, name: value}
    with open(file, "wb") as stream:
        np.savez(stream, **arrays)
    refusal(file)
