import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

NAME = "fsdiffreg_cardiac_ablation"
SMALL = ["--steps", "2", "--seeds", "1", "--hearts", "1", "--held-out", "2"]


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool(f"evidence/{NAME}")


@pytest.fixture(scope="module")
def arms(load_tool, tool):
    return load_tool("evidence/registration_arms")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("evidence")


@pytest.fixture(scope="module")
def quick(tool, folder):
    """Run few arms with few steps, and read the record and the page."""

    def run(*options):
        arguments = [*SMALL, "--output-dir", str(folder / "runs"), "--evidence-dir", str(folder), *options]
        CliRunner().invoke(tool.main, arguments, catch_exceptions=False)
        return json.loads((folder / f"{NAME}.json").read_text()), (folder / f"{NAME}.md").read_text()

    threads = torch.get_num_threads()
    yield run
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def first(quick):
    return quick("--arms", "B,D,G,VM")


@pytest.fixture(scope="module")
def items(arms, folder, first):
    return arms.pairs_of_hearts(folder / "runs" / "hearts", 1, 6000)


def run_of(arm, seed, **found):
    return {"arm": arm, "seed": seed, "found": {name: list(values) for name, values in found.items()}}


def test_smallest_form_measures_all_that_the_page_shows(tool, first, folder):
    record, page = first
    assert [run["arm"] for run in record["runs"]] == ["B", "D", "G", "VM"]
    for run in record["runs"]:
        assert all(len(values) == 2 and np.isfinite(values).all() for values in run["found"].values())
        assert ("weight" in run["found"]) == (run["arm"] != "VM")
    assert record["summary"]["G"]["weight"]["mean"] == record["summary"]["B"]["weight"]["mean"] == 20
    assert 5 < record["summary"]["D"]["weight"]["mean"] < 15
    assert all(tool._row(arm, found) in page for arm, found in record["summary"].items())
    assert (folder / f"{NAME}.png").read_bytes().startswith(b"\x89PNG")


def test_only_trainings_that_are_missing_or_of_other_sizes_are_repeated(quick, first, folder):
    runs = {name: folder / "runs" / f"{name}-0.json" for name in ("B", "D", "G")}
    wrong = json.loads(runs["D"].read_text())
    runs["B"].write_text(json.dumps(json.loads(runs["B"].read_text()) | {"kept": True}))
    runs["D"].write_text(json.dumps(wrong | {"sizes": {}, "kept": True}))
    runs["G"].unlink()
    again = quick("--arms", "B,D,G,VM")[0]["runs"]
    assert [run["found"] for run in again] == [run["found"] for run in first[0]["runs"]]
    assert ["kept" in run for run in again] == [True, False, False, False]


def test_the_true_motion_scores_as_such(arms, tool, items):
    class Truth(nn.Module):
        """It was cut as the images are."""

        def forward(self, moving, fixed, noisy, timesteps):
            return {"ddf": truth, "score": torch.zeros_like(fixed)}

    truth = torch.as_tensor(arms._cut(0)(items[0])["true_displacement"])[None]
    (still,), (found,) = (arms.measured(tool.ARMS["D"], network, items) for network in (None, Truth()))
    assert found["epe_mm"] == 0
    assert found["mean5"] > still["mean5"] + 0.1
    assert still["sd_j_valid"] == still["folding_grid"] == 0
    assert still["epe_mm"] > 3
    # A score of 0 everywhere: half the weight, and the noise's own variance.
    assert found["weight"] == pytest.approx(10)
    assert found["noise_error"] == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(("arm", "mean"), [("D0.5", 0.5**0.5), ("D", 0.5), ("D2", 0.25), ("G", 1.0), ("E", 1.0)])
def test_mean_weight_of_a_score_of_zero(tool, arm, mean):
    zeros = torch.zeros(1, 1, 2, 2, 2)
    assert tool.ARMS[arm].mean_weight(zeros, torch.ones_like(zeros)) == pytest.approx(mean)


def test_arms_of_a_seed_differ_in_nothing_but_their_loss(arms, tool, items):
    """Shuffled scores of exponent 0 weigh alike everywhere: what is drawn for them must not change the training."""
    plain = arms.trained(tool.ARMS["B"], 3, items, 2).state_dict()
    same = arms.trained(tool.ARMS["F"]._replace(gamma=0.0), 3, items, 2).state_dict()
    other = arms.trained(tool.ARMS["B"], 4, items, 2).state_dict()
    for name, value in plain.items():
        torch.testing.assert_close(same[name], value, rtol=1e-3, atol=1e-5)
    assert any(not torch.allclose(other[name], value, atol=1e-3) for name, value in plain.items())


def test_excess_is_the_distance_from_the_line(tool):
    """The line is mean5 = 0.6 + SD of J."""
    sweep = [
        run_of(arm, 0, sd_j_valid=[x], mean5=[0.6 + x]) for arm, x in zip(tool.SWEEP, (0.1, 0.2, 0.3, 0.4), strict=True)
    ]
    found = tool.excess(
        [
            *sweep,
            run_of("D", 0, sd_j_valid=[0.25], mean5=[0.86]),
            run_of("G", 0, sd_j_valid=[0.25], mean5=[0.85]),
            run_of("H", 0, sd_j_valid=[0.5], mean5=[0.9]),
        ]
    )
    assert found["D"]["mean"] == pytest.approx(0.01)
    assert found["G"]["mean"] == pytest.approx(0)
    assert found["H"] == {"mean": None, "sd": 0.0, "inside": 0, "of": 1}
    assert tool.excess(sweep[1:] + [run_of("D", 0, sd_j_valid=[0.25], mean5=[0.86])]) == {}


def test_paired_tests_are_wilcoxons(tool):
    """Of n differences, all positive and none alike, the exact two-sided p is 2 / 2^n."""
    base, more = np.zeros(8), np.linspace(0.01, 0.02, 8)
    same = {"sd_j_valid": base + 1, "epe_mm": base + 1}
    runs = [run_of("D", 0, mean5=base + more, **same), run_of("E", 0, mean5=base, **same)]
    runs[0]["found"] |= {name: list(values + more) for name, values in same.items()}
    rows = tool.paired(runs)
    assert [(row["first"], row["second"]) for row in rows] == [("E", "D")] * 3
    assert rows[0]["difference"] == pytest.approx(0.015)
    assert rows[0]["p"] == rows[0]["p_pairs"] == pytest.approx(2 / 2**8)
    assert rows[0]["trainings"] == [rows[0]["difference"]]


@pytest.mark.parametrize(
    ("p", "trainings", "words"),
    [(0.01, [1, 2], "alike"), (0.01, [1, -2], "no difference"), (0.2, [1, 2], "no difference"), (0.01, [1], "one")],
)
def test_a_difference_is_one_that_pairs_and_trainings_agree_on(tool, p, trainings, words):
    assert words in tool._finding({"p_pairs": p, "trainings": trainings})


def test_summary_tells_trainings_from_pairs(tool):
    found = tool.summary([run_of("B", 0, mean5=[0.0, 2.0]), run_of("B", 1, mean5=[2.0, 4.0])])["B"]["mean5"]
    assert found["mean"] == 2
    assert found["sd"] == pytest.approx(2**0.5)
    assert found["sd_pairs"] == pytest.approx((8 / 3) ** 0.5)


def test_peers_begin_at_the_identity_and_see_what_they_should(load_tool):
    torch.manual_seed(0)
    moving, fixed, noisy, other = torch.rand(4, 1, 1, 16, 16, 8)
    clock = torch.zeros(1, dtype=torch.long)
    for name, build in load_tool("evidence/registration_peers").PEERS.items():
        network = build().eval()
        assert network(moving, fixed, noisy, clock)["ddf"].abs().max() == 0
        *_, last = (layer for layer in network.field_net.modules() if isinstance(layer, nn.Conv3d))
        nn.init.normal_(last.weight)
        found, changed = (network(moving, fixed, x, clock)["ddf"] for x in (noisy, other))
        assert torch.equal(found, changed) == (name != "diffusemorph")
        assert found.shape == (1, 3, 16, 16, 8)


def test_committed_page_is_that_of_the_record(tool, repository):
    folder = repository / "docs" / "evidence"
    record = json.loads((folder / f"{NAME}.json").read_text())
    text = (folder / f"{NAME}.md").read_text()
    assert record["summary"] == tool.summary(record["runs"])
    assert record["excess"] == tool.excess(record["runs"])
    assert text.startswith("\n".join(tool.page(record)))
