"""Registration of hearts by the shipped weights, by optimization, and by other programs, measured alike.

python tools/evidence/fsdiffreg_cardiac_accuracy.py --output-dir out/hearts

Writes docs/evidence/fsdiffreg_cardiac_accuracy.{md,json}. What is measured is kept in the output folder, so that a run
goes on where it was stopped. The real pair is looked for where MONAI_CORTEX_DEV_DATA says.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import torch
from cardiac_pairs import HELD_OUT, PHASES, loaded, plain, real_pair, scores, simulated_pairs
from cardiac_peers import PEERS, peer_field
from evidence_page import write_evidence
from monai.bundle import ConfigParser
from subject_statistics import mean_interval, paired_difference
from torch import Tensor
from tqdm import tqdm

from monai_cortex.data import sha256, write_json
from monai_cortex.inferers import FROM_NETWORK, FROM_ZERO, ImageRegistrar, RefinementOptions

__all__ = ["METHODS", "main"]

NAME = "fsdiffreg_cardiac_accuracy"
COMMAND = f"python tools/evidence/{NAME}.py --output-dir out/hearts"
BUNDLE = Path(__file__).resolve().parents[2] / "bundles" / "fsdiffreg_cardiac"
OURS = "refined"
METHODS = {
    "none": "none",
    "demons": "SimpleITK diffeomorphic demons",
    "elastix": "elastix B-splines, 12 mm, mutual information",
    "optimized": "optimization from zero",
    "network": "network",
    OURS: "network and refinement",
}
SHOWN = {
    "dice_lv": "LV",
    "dice_myo": "Myo",
    "dice_epi": "epi",
    "dice_rv": "RV",
    "dice_all": "all",
    "mean5": "mean5",
    "mean3": "mean3",
    "hd95_mm": "HD95 mm",
    "grid_percent": "J<=0 %, grid",
    "valid_percent": "J<=0 %, valid",
    "grid_deviation": "SD J, grid",
    "valid_deviation": "SD J, valid",
    "heart_log_deviation": "SD log J, heart",
    "epe_mm": "EPE mm",
    "epe_in_plane_mm": "EPE in plane mm",
    "inverse_voxels": "inverse, voxels",
    "lv_ejection_error": "LV EF error, points",
    "seconds": "s",
}
TESTED = ("dice_lv", "dice_myo", "dice_rv", "mean5", "epe_mm", "grid_deviation")
_DIGITS = {"seconds": 1, "lv_ejection_error": 1, "hd95_mm": 2, "inverse_voxels": 4}


class Field(NamedTuple):
    """What a method finds.

    Attributes:
        ddf: voxels, ``(3, I, J, K)``.
        inverse: of the inverse map, as before; None where the method gives none.
        seconds: of the processor.
    """

    ddf: Tensor
    inverse: Tensor | None
    seconds: float


class Methods:
    """The methods by name, each from an item to a field.

    Args:
        weights: of the network; without the file its methods are left out.
    """

    def __init__(self, weights: Path) -> None:
        self.network, self.mark = None, {}
        self.registrars = {"optimized": ImageRegistrar(use_network=False)}
        if weights.is_file():
            parser = ConfigParser()
            parser.read_config(str(BUNDLE / "configs" / "inference.json"))
            parser.update({"weights": str(weights), "bundle_root": str(BUNDLE), "device": "cpu"})
            self.network = parser.get_parsed_content("network").eval()
            self.registrars |= {OURS: parser.get_parsed_content("inferer"), "network": ImageRegistrar(refine=False)}
            self.mark = {"weights": sha256(weights)}

    def settings(self, name: str) -> dict[str, str]:
        """What the numbers of a method depend on; where it changes they are measured again."""
        plans = {"optimized": FROM_ZERO, OURS: FROM_NETWORK}
        mark = self.mark if name in ("network", OURS) else {}
        return mark | ({"refinement": repr((plans[name], RefinementOptions()))} if name in plans else {})

    def __getitem__(self, name: str) -> Callable[[Mapping[str, Any]], Field]:
        if name in PEERS:
            return lambda item: _of_peer(name, item)
        if name == "none":
            return lambda item: Field(torch.zeros(3, *plain(item, "fixed_image").shape[1:]), None, 0.0)
        return lambda item: self._ours(name, item)

    def __contains__(self, name: str) -> bool:
        return name in ("none", *PEERS, *self.registrars)

    def _ours(self, name: str, item: Mapping[str, Any]) -> Field:
        start = time.process_time()
        found = self.registrars[name].register(item, None if name == "optimized" else self.network)
        return Field(found.ddf, found.inverse, time.process_time() - start)


@click.command(help="Register the real pair both ways and held-out simulated hearts, and compare methods.")
@click.option("--output-dir", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--hearts", default=50, show_default=True, help="Held out.")
@click.option("--elastix-pairs", default=12, show_default=True, help="Simulated hearts, the first ones, for elastix.")
@click.option("--weights", type=click.Path(path_type=Path), default=BUNDLE / "models" / "model.pt")
@click.option("--methods", default=",".join(METHODS), show_default=True, help="Names, by commas.")
@click.option("--measure-only", is_flag=True, help="Keep measurements, write no page.")
def main(  # noqa: PLR0913, PLR0917
    output_dir: Path, hearts: int, elastix_pairs: int, weights: Path, methods: str, measure_only: bool
) -> None:
    """Register, measure, write."""
    torch.set_num_threads(1)
    ways = Methods(weights)
    names = [name for name in methods.split(",") if name in ways]
    real = {way: found for way in PHASES if (found := real_pair(output_dir / "pairs", way)) is not None}
    simulated = simulated_pairs(output_dir / "simulated", range(HELD_OUT, HELD_OUT + hearts))
    sets = {way: [subject] for way, subject in real.items()} | {"simulated": simulated}
    rows = []
    for title, subjects in sets.items():
        for number, subject in enumerate(tqdm(subjects, desc=title, disable=None)):
            left_out = {"elastix"} if title == "simulated" and number >= elastix_pairs else set()
            chosen = [name for name in names if name not in left_out]
            rows += [{"set": title, **row} for row in measured(subject, ways, chosen, output_dir / "scores")]
    if not measure_only:
        command = f"{COMMAND} --hearts {hearts} --elastix-pairs {elastix_pairs}"
        record = {"command": command, "rows": rows, "differences": differences(rows), **ways.mark}
        write_evidence(NAME, record, page(record), ("monai", "torch", "SimpleITK", "itk-elastix", "scipy"))


def measured(subject: Mapping[str, Any], ways: Methods, names: Sequence[str], folder: Path) -> list[dict[str, Any]]:
    """Rows of a subject, one for each method, read where they were measured before."""
    rows: list[dict[str, Any]] = []
    item = None
    for name in names:
        file = folder / f"{subject['subject']}-{name}.json"
        known = json.loads(file.read_text()) if file.is_file() else {}
        if known.get("settings") != ways.settings(name):
            item = item or loaded(subject)
            found = ways[name](item)
            values = {**scores(item, found.ddf, found.inverse), "seconds": found.seconds}
            known = {"settings": ways.settings(name), "scores": values}
            folder.mkdir(parents=True, exist_ok=True)
            write_json(file, known)
        rows.append({"subject": subject["subject"], "method": name, **known["scores"]})
    return rows


def differences(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of the network with refinement from every other method on the same simulated hearts."""
    found = {name: {row["subject"]: row for row in _of("simulated", name, rows)} for name in METHODS}
    result = []
    for name in (name for name in METHODS if name != OURS and found[name] and found[OURS]):
        both = sorted(set(found[name]) & set(found[OURS]))
        for number in TESTED:
            pairs = [(found[OURS][subject][number], found[name][subject][number]) for subject in both]
            result.append({"method": name, "number": number, **paired_difference(*zip(*pairs, strict=True))})
    return result


def page(record: Mapping[str, Any]) -> list[str]:
    """Lines of the page."""
    rows = record["rows"]
    hearts = len({row["subject"] for row in rows if row["set"] == "simulated"})
    return [
        "# Registration of hearts",
        "",
        "No label enters a registration. Labels are warped by nearest voxels; Dice is in three dimensions; mean5 is",
        "over LV cavity, myocardium, epicardium, RV cavity and all, mean3 over LV, myocardium and RV, as is HD95, the",
        "95th percentile of surface distances. J is by central differences, one-sided at borders, in voxels; the heart",
        "are the fixed labels dilated by 3 voxels. The inverse error is the mean over the moving labels of where the",
        "inverse and then the field lead; fields of other programs are inverted here. EF errors are percentage points",
        "between warped and given labels. Seconds are of one processor, those of this project with the inverse field.",
        "",
        "All methods see the same scaled images on one grid of 1.5 x 1.5 x 3.15 mm, other programs without the",
        "padding. Network and refinement are two rows. Weights are trained on simulated hearts, seeds 1000 to 1127.",
        "",
        *_real_lines(rows),
        f"## {hearts} simulated hearts",
        "",
        f"Seeds {HELD_OUT} to {HELD_OUT + hearts - 1}, seen by no training and no tuning, end-diastole to end-systole.",
        "Mean and 95 % interval (t distribution); end-point errors (EPE) are means over the fixed labels.",
        "",
        *_table(rows, "simulated"),
        "",
        *_difference_lines(record["differences"]),
        "The hearts are simulated: the numbers say how methods compare on them, not on patients. One real pair ranks",
        "nothing within .02. Slices 10 mm apart do not determine what happens along their axis.",
    ]


def _real_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    titles = {"ed2es": "end-diastole moves to end-systole", "es2ed": "end-systole moves to end-diastole"}
    lines = []
    for way, title in titles.items():
        if _of(way, "none", rows):
            lines += [f"## Pair 1 of ACDC, {title}", "", *_table(rows, way), ""]
    return lines


def _table(rows: Sequence[Mapping[str, Any]], title: str) -> list[str]:
    names = [name for name in METHODS if _of(title, name, rows)]
    shown = {key: text for key, text in SHOWN.items() if any(key in row for row in _of(title, names[0], rows))}
    lines = [f"| method | pairs | {' | '.join(shown.values())} |", "|---" * (len(shown) + 2) + "|"]
    for name in names:
        found = _of(title, name, rows)
        cells = [_cell(found, key) for key in shown]
        lines.append(f"| {METHODS[name]} | {len(found)} | {' | '.join(cells)} |")
    return lines


def _difference_lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    if not found:
        return []
    lines = [
        "Network and refinement minus each method, on the hearts that both have: mean, 95 % bootstrap interval, and p",
        "of Wilcoxon's signed-rank test, two-sided, not adjusted for the number of tests:",
        "",
        f"| method | pairs | {' | '.join(SHOWN[number] for number in TESTED)} |",
        "|---" * (len(TESTED) + 2) + "|",
    ]
    for name in dict.fromkeys(row["method"] for row in found):
        own = [row for row in found if row["method"] == name]
        cells = [f"{row['mean']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}], {row['p']:.1g}" for row in own]
        lines.append(f"| {METHODS[name]} | {own[0]['pairs']} | {' | '.join(cells)} |")
    return [*lines, ""]


def _of_peer(name: str, item: Mapping[str, Any]) -> Field:
    ddf, seconds = peer_field(name, item)
    return Field(ddf, None, seconds)


def _of(title: str, name: str, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [row for row in rows if row["set"] == title and row["method"] == name]


def _cell(rows: Sequence[Mapping[str, Any]], key: str) -> str:
    mean, half = mean_interval(rows, key)
    digits = _DIGITS.get(key, 3)
    return f"{mean:.{digits}f}" + (f" ± {half:.{digits}f}" if len(rows) > 1 else "")


if __name__ == "__main__":
    main()
