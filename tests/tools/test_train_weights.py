"""A recipe simulates, trains through the stock client and leaves the weights in the bundle."""

import shutil

import pytest
import torch
from click.testing import CliRunner

from monai_cortex.data import diffusion_subjects, read_diffusion, read_volume, sha256

SMALL = ["--epochs", "2", "--val_interval", "2", "--val_subjects", "1", "--channels", "[2,2,2]", "--track", "False"]


@pytest.fixture(scope="module")
def trained(load_tool, repository, tmp_path_factory):
    tool = load_tool("train_weights")
    folder = tmp_path_factory.mktemp("weights")
    bundle = folder / "shd_deconvolution"
    shutil.copytree(repository / "bundles" / "shd_deconvolution", bundle)
    recipe = tool.Recipe((1000.0,), (12, 14), subjects=2, steps=4)
    tool.RECIPES["shd_deconvolution"]["tiny"] = recipe
    command = tool.click.Command("train", callback=tool.main.callback, params=tool.main.params)
    command.params[1].type = tool.click.STRING
    arguments = ["shd_deconvolution", "tiny", "--output-dir", str(folder), "--bundle", str(bundle), "--", *SMALL]
    answer = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return folder, bundle, answer.output


def test_weights_lie_in_the_bundle_and_their_sum_is_told(trained):
    _, bundle, output = trained
    weights = bundle / "models" / "tiny.pt"
    assert f"tiny.pt: sha256 {sha256(weights)}" in output
    assert all(value.isfinite().all() for value in torch.load(weights, weights_only=True).values())


def test_scans_follow_the_recipe(trained):
    items = diffusion_subjects(trained[0] / "scans" / "tiny", supervised=True)
    assert [item["subject"] for item in items] == ["phantom-1000", "phantom-1001"]
    for item in items:
        table = read_diffusion(item).table
        assert 12 <= (table.bvalues > 500).sum() <= 14
        assert set(table.bvalues) == {0, 1000}
        assert read_volume(item["target"], ndim=4).values.any()


def test_scans_are_not_simulated_again(load_tool, trained):
    folder = trained[0] / "scans" / "tiny"
    before = (folder / "phantom-1000" / "dwi.nii.gz").stat().st_mtime_ns
    load_tool("train_weights").Recipe((1000.0,), (12, 14), subjects=1).simulate(folder)
    assert (folder / "phantom-1000" / "dwi.nii.gz").stat().st_mtime_ns == before


def test_every_shipped_file_has_a_recipe(load_tool, repository):
    recipes = load_tool("train_weights").RECIPES
    for slug, named in recipes.items():
        shipped = {path.stem for path in (repository / "bundles" / slug / "models").glob("*.pt")}
        assert shipped == set(named) - {"tiny"}
