"""What the registered subjects of a run have in common."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from torch import Tensor

from monai_cortex import __version__
from monai_cortex.data import atomic_folder, write_json, write_morph, write_sidecar
from monai_cortex.errors import ConfigError
from monai_cortex.handlers.carried_hemisphere import CarriedHemisphere
from monai_cortex.handlers.registration_writer import carried_hemispheres
from monai_cortex.metrics import LabelOverlap, paired_t_tests
from monai_cortex.visualize import Block, GroupPicture, Picture, Table, group_figure, png

__all__ = ["RegistrationGroup"]

_FOLDER = "group"
_FEWEST = 2  # subjects of an average
_NAMES = {"lh": "left", "rh": "right"}
_HEADINGS = ("region", "subjects", "Dice, rotated", "Dice, registered", "difference", "t", "p", "q (FDR)")


class RegistrationGroup:
    """Average the registered features of a run's subjects on the target, and test their regions' overlap.

    With two subjects or more, writes ``<output_dir>/group/`` with ``?h.mcx.mean.<feature>`` on the target's mesh,
    ``average.png`` and ``overlap.json``. It is a section of :class:`RunReport` too.

    Args:
        output_dir: folder of the run.
    """

    def __init__(self, output_dir: str) -> None:
        self.output_dir = Path(output_dir)
        self._start()

    def attach(self, engine: Engine) -> None:
        """Gather after each iteration and write after the epoch, whatever else is attached before or after."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._write)

    def __call__(self, engine: Engine) -> None:
        state: Any = engine.state
        for inputs, results in zip(state.batch, state.output, strict=True):
            self._gather({**inputs, **results})

    def blocks(self, engine: Engine) -> list[Block]:
        """Notes on features' signs, the picture of the average, and each hemisphere's table of overlaps."""
        records = getattr(engine.state, "subjects", [])
        notes: list[Block] = [f"{row['subject']}: {row['sign_note']}." for row in records if "sign_note" in row]
        pictures: list[Block] = []
        if self._picture:
            text = f"Average of the registered {self._features[0]} on the target, and average areal distortion."
            pictures = [Picture(self._picture, text, "group average maps")]
        tables = {side: gathered.overlaps() for side, gathered in self._sides.items()}
        return [*notes, *pictures, *(_table(side, rows) for side, rows in tables.items() if rows)]

    def pictures(self) -> dict[str, GroupPicture]:
        """Averages of the hemispheres that two subjects or more have, by "lh" and "rh"."""
        return {side: gathered.picture() for side, gathered in self._sides.items() if gathered.count >= _FEWEST}

    def _start(self, _: Engine | None = None) -> None:
        self._sides: dict[str, _Gathered] = {}
        self._features: tuple[str, ...] = ()
        self._picture = b""

    def _gather(self, item: Mapping[str, Any]) -> None:
        if str(item["subject"]) == _FOLDER:
            raise ConfigError(
                "a subject has the name of the group's folder",
                subject=_FOLDER,
                found=_FOLDER,
                expected="another name",
                remedy="rename the subject's folder",
            )
        self._features = tuple(item["features"])
        for side, part in carried_hemispheres(item).items():
            self._sides.setdefault(side, _Gathered(part)).add(part)

    def _write(self, _: Engine) -> None:
        sides = {side: gathered for side, gathered in self._sides.items() if gathered.count >= _FEWEST}
        if not sides:
            return
        target = next(iter(sides.values())).target.subject
        count = max(gathered.count for gathered in sides.values())
        self._picture = png(group_figure(self._features[0], self.pictures(), count, target))
        with atomic_folder(self.output_dir / _FOLDER) as folder:
            (folder / "average.png").write_bytes(self._picture)
            for side, gathered in sides.items():
                gathered.write(folder, side, self._features)
            records = {side: gathered.overlaps() for side, gathered in sides.items()}
            write_json(folder / "overlap.json", records)


class _Gathered:
    """Sums over the subjects of one hemisphere; subjects themselves are not kept, there may be thousands."""

    def __init__(self, first: CarriedHemisphere) -> None:
        self.target, self.fixed = first.target, first.target_scaled[0]
        self.count = 0
        self.values: Tensor = torch.zeros_like(first.target.values)
        self.scaled: Tensor = torch.zeros_like(self.fixed)
        self.areal: Tensor = torch.zeros_like(self.fixed)
        self.dice: list[tuple[dict[str, float], dict[str, float]]] = []

    def add(self, part: CarriedHemisphere) -> None:
        """Add a subject registered to the same target.

        Raises:
            ValueError: it was registered to another one.
        """
        if part.target.subject != self.target.subject or len(part.target.values[0]) != len(self.fixed):
            raise ValueError(f"subjects of a group have one target, got {self.target.subject}, {part.target.subject}.")
        self.count += 1
        self.values += part.carry(part.native.values)
        self.scaled += part.carry(part.scaled[:1])[0]
        self.areal += part.carry(part.areal[None])[0]
        rigid, registered = part.overlap(rigid=True), part.overlap()
        if rigid is not None and registered is not None:
            self.dice.append((_by_region(rigid), _by_region(registered)))

    def picture(self) -> GroupPicture:
        return GroupPicture(
            target=self.target.inflated or self.target.sphere,
            fixed=self.fixed,
            mean=self.scaled / self.count,
            areal=self.areal / self.count,
        )

    def write(self, folder: Path, side: str, features: tuple[str, ...]) -> None:
        """Write the average of each feature, in the feature's own unit."""
        for name, values in zip(features, self.values / self.count, strict=True):
            path = folder / f"{side}.mcx.mean.{name}"
            write_morph(path, values.numpy(), len(self.target.sphere.faces))
            record = {
                "subjects": self.count,
                "hemisphere": side,
                "target": self.target.subject,
                "units": f"those of the subjects' {name}",
                "convention": "mean over subjects at the target's vertices, linear on the registered triangles",
                "spatial_reference": "vertices of the target's sphere, in their order",
                "software": f"monai_cortex {__version__}",
            }
            write_sidecar(path, record)

    def overlaps(self) -> list[dict[str, Any]]:
        """One row a region: means over subjects and the paired test; NaN where nothing can be tested."""
        regions = list(dict.fromkeys(name for pair in self.dice for name in pair[0]))
        if not regions:
            return []
        values = np.array([[[part.get(name, np.nan) for name in regions] for part in pair] for pair in self.dice])
        tests = paired_t_tests(values[:, 0], values[:, 1])
        present = np.isfinite(values).all(1)
        rigid, registered = (
            np.divide(
                np.where(present, values[:, k], 0).sum(0),
                tests.subjects,
                out=np.full(len(regions), np.nan),
                where=tests.subjects > 0,
            )
            for k in (0, 1)
        )
        columns = (tests.subjects, rigid, registered, *tests[1:])
        names = ("subjects", "dice_rigid", "dice", "difference", "t", "p", "q")
        return [
            {"region": region, **{name: column[k].item() for name, column in zip(names, columns, strict=True)}}
            for k, region in enumerate(regions)
        ]


def _by_region(overlap: LabelOverlap) -> dict[str, float]:
    return dict(zip(overlap.names, overlap.dice.tolist(), strict=True))


def _table(side: str, rows: list[dict[str, Any]]) -> Table:
    better = sum(row["q"] < 0.05 and row["difference"] > 0 for row in rows)  # noqa: PLR2004
    worse = sum(row["q"] < 0.05 and row["difference"] < 0 for row in rows)  # noqa: PLR2004
    untested = sum(not np.isfinite(row["q"]) for row in rows)
    caption = (
        f"Overlap of {_NAMES[side]} regions with the target's, mean over subjects; paired t-tests, q by Benjamini and "
        f"Hochberg. At q below 0.05, {better} of {len(rows)} regions overlap more than after the rotation alone and "
        f"{worse} less."
    )
    if untested:
        caption += f" {untested} are not testable (n/a): fewer than two subjects, or no variance between them."
    return Table(_HEADINGS, [list(row.values()) for row in rows], caption)
