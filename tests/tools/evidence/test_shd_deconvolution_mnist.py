import json

import pytest
import torch
from click.testing import CliRunner

from monai_cortex.geometry.rotation import rotate_grid

NAME = "shd_deconvolution_mnist"


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool(f"evidence/{NAME}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("evidence")


@pytest.fixture(scope="module")
def quick(tool, folder):
    """Run the quick form, and read the record and the page."""

    def run():
        arguments = ["--quick", "--output-dir", str(folder / "runs"), "--evidence-dir", str(folder)]
        CliRunner().invoke(tool.main, arguments, catch_exceptions=False)
        return json.loads((folder / f"{NAME}.json").read_text()), (folder / f"{NAME}.md").read_text()

    threads = torch.get_num_threads()
    yield run
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def first(quick):
    return quick()


def cells(page):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("|")]


def check_page(tool, record, page):
    """Every score of the record is in the page, in the row of its network."""
    rows = cells(page)
    for row in record["table"]:
        name = [tool.NETWORKS[row["network"]], "yes" if row["augmented"] else "no"]
        for group in ("random", "symmetry"):
            assert name + [tool._cell(row[group][kind]) for kind in tool.KINDS if kind in row[group]] in rows


def test_quick_form_measures_every_network(tool, first):
    record, page = first
    assert [(run["network"], run["augmented"]) for run in record["runs"]] == tool.RUNS
    for run in record["runs"]:
        assert set(run["dice"]["random"]) == {"none", "grid", "voxel", "both", "same"}
        assert set(run["dice"]["symmetry"]) == {"grid", "voxel", "both", "same"}
        assert all(0 <= score <= 1 for group in run["dice"].values() for score in group.values())
    check_page(tool, record, page)


def test_only_runs_that_are_missing_or_of_other_sizes_are_repeated(quick, first, folder):
    runs = first[0]["runs"]
    (folder / "runs" / "equivariant_0.json").unlink()
    other = {**runs[2], "sizes": {**runs[2]["sizes"], "epochs": 99}, "dice": None}
    (folder / "runs" / "coefficients_0.json").write_text(json.dumps(other))
    again = quick()[0]["runs"]
    assert [run["dice"] for run in again] == [run["dice"] for run in runs]
    repeated = [
        after["training_time_s"] != before["training_time_s"] for after, before in zip(again, runs, strict=True)
    ]
    assert repeated == [True, False, True, False]


def test_committed_page_is_that_of_the_record(tool, repository):
    folder = repository / "docs" / "evidence"
    record = json.loads((folder / f"{NAME}.json").read_text())
    assert record["table"] == tool._table(record["runs"])
    check_page(tool, record, (folder / f"{NAME}.md").read_text())


def test_equivariant_network_scored_alike_under_symmetries(repository):
    """Measured, not computed: rounding may turn a few of 4,096 votes."""
    record = json.loads((repository / "docs" / "evidence" / f"{NAME}.json").read_text())
    for run in record["runs"]:
        if run["network"] == "equivariant":
            assert run["dice"]["symmetry"] == pytest.approx(
                dict.fromkeys(run["dice"]["symmetry"], run["dice"]["random"]["none"]), abs=2e-3
            )


def randomized(tool, network):
    """A network whose logits are of order one."""
    torch.manual_seed(0)
    net = tool.build(network).eval()
    for name, parameter in net.named_parameters():
        if "head" in name and parameter.ndim > 1:
            torch.nn.init.normal_(parameter)
    return net


@pytest.mark.parametrize(
    ("network", "grid", "voxel"), [("equivariant", 1, 1), ("concatenated", 0, 1), ("coefficients", 0, 0)]
)
@torch.no_grad()
def test_networks_commute_with_the_symmetries_they_are_said_to(tool, network, grid, voxel):
    net, images = randomized(tool, network), tool.load_digit_images(training=False)
    quarter = torch.from_numpy(tool.HEALPIX[0])
    logits = []
    for rotations in ([], [quarter], [None, quarter]):
        generator = torch.Generator().manual_seed(0)
        logits.append(net(tool.spherical_digits(images, tool.DIRECTIONS, generator, *rotations).signal[None, None]))
    before, on_grid, on_sphere = logits
    turned = rotate_grid(before, quarter)
    assert before.std() > 0.01
    bound = 1e-4 * before.abs().max()
    assert ((on_grid - turned).abs().max() < bound) == bool(grid)
    assert ((on_sphere - before).abs().max() < bound) == bool(voxel)


def test_training_learns(tool):
    """A score far above chance on digits never seen, lost when spheres are turned that never were in training."""
    sizes = tool.Sizes(4, 1, 40, 2)
    dice = tool.evaluate(tool.train("coefficients", augmented=False, seed=0, sizes=sizes), 0, sizes)
    assert dice["random"]["none"] > 0.15
    assert dice["random"]["voxel"] < dice["random"]["none"] - 0.1


@pytest.mark.parametrize("symmetry", [False, True])
def test_kinds_of_rotation(tool, symmetry):
    def draw(kind):
        return tool.draw_rotations(kind, symmetry, torch.Generator().manual_seed(3))

    assert draw("none") == (None, None)
    assert draw("grid")[1] is None
    assert draw("voxel")[0] is None
    assert not torch.equal(*draw("both"))
    assert torch.equal(*draw("same"))
    for matrix in (draw("grid")[0], draw("voxel")[1], *draw("both"), *draw("same")):
        torch.testing.assert_close(matrix @ matrix.T, torch.eye(3, dtype=torch.float64))
        assert (matrix == matrix.round()).all() == symmetry
        assert matrix.trace() < 3 - 1e-6


def test_groups_are_those_of_the_grid_and_of_the_vertices(tool):
    assert tool.CUBE.shape == (23, 3, 3)
    assert tool.HEALPIX.shape == (7, 3, 3)
    for matrix in tool.HEALPIX:
        assert (tool.DIRECTIONS @ torch.from_numpy(matrix) @ tool.DIRECTIONS.T).amax(1).min() > 1 - 1e-10


def test_interval_is_students(tool):
    """Three values 1, 2, 3: standard error 1 / sqrt(3), quantile 4.3027 of two degrees of freedom."""
    score = tool._interval([1.0, 2.0, 3.0])
    assert score["mean"] == 2
    assert score["half_width"] == pytest.approx(4.302653 / 3**0.5)
    assert tool._interval([1.0]) == {"mean": 1.0, "half_width": None}
