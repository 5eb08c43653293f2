"""Register two phases of a simulated heart whose true motion is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from monai_cortex.demo.demonstration import Demonstration, Finding
from monai_cortex.visualize import Table

__all__ = ["DEMONSTRATION"]

_KINDS = {"before": "initial_", "network alone": "network_", "after": ""}
_ROWS = {
    "Dice, LV cavity": "dice_lv",
    "Dice, myocardium": "dice_myo",
    "Dice, RV cavity": "dice_rv",
    "Dice, mean of five": "dice_mean5",
}
_MOTION = {
    "distance from the true motion [mm]": "epe_heart_mean_mm",
    "folded, J <= 0 in the heart [%]": "folding_heart_percent",
}


def _tables(subject: Mapping[str, Any]) -> Iterator[Table]:
    for names, caption in ((_ROWS, ""), (_MOTION, "Before: without a registration. J: local volume change.")):
        rows = [[text, *(subject.get(f"{prefix}{key}") for prefix in _KINDS.values())] for text, key in names.items()]
        yield Table(["heart", *_KINDS], rows, caption)


def _finding(subject: Mapping[str, Any]) -> Finding:
    before = f"{subject['initial_dice_mean5']:.3f} (unregistered)"
    return Finding("mean Dice overlap", f"{subject['dice_mean5']:.3f}", before)


DEMONSTRATION = Demonstration(
    bundle="fsdiffreg_cardiac",
    data="A simulated heart at end diastole and end systole, 1.5 x 1.5 x 3.15 mm, whose true motion is known",
    title="Register end diastole to end systole, by the network and by refinement",
    finding=_finding,
    tables=_tables,
)
