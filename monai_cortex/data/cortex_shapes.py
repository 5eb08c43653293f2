"""A shape model of cortices with all it takes to make surfaces of its codes, from a dataset folder and in one file."""

from __future__ import annotations

import json
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from monai_cortex.errors import ConfigError, InputFileError
from monai_cortex.geometry.cortex_features import CORTEX_FEATURES, CortexMeshes, split_cortex, stack_cortex
from monai_cortex.geometry.shape_alignment import align_shape, align_shapes
from monai_cortex.geometry.shape_model import ShapeModel
from monai_cortex.geometry.topology import topology_hash

from .atomic import atomic_path
from .cortex_correspondence import Correspondence, cortices_of, find_correspondence, read_corresponding

__all__ = ["ALIGNMENTS", "CortexShapes"]

ALIGNMENTS = ("none", "rigid", "similarity")
"""What is taken out of shapes before the model sees them: nothing, pose, or pose and size."""
_FEWEST = 3
_ROUNDING = 1e-4  # mm; files hold single precision
_DAMAGE = (
    *(OSError, ValueError, TypeError, KeyError, EOFError, OverflowError, RuntimeError, MemoryError, SyntaxError),
    *(struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)


@dataclass(frozen=True)
class CortexShapes:
    """A model, and what its numbers belong to; made by :meth:`fit` or :meth:`load`.

    Attributes:
        model: of shapes ``(V, C)`` in mm, all hemispheres joined.
        correspondence: of its vertices.
        alignment: one of :data:`ALIGNMENTS`.
        people: number N that it was fitted to.
    """

    model: ShapeModel
    correspondence: Correspondence
    alignment: str
    people: int

    @staticmethod
    def fit(
        dataset_dir: str | os.PathLike[str],
        components: int | None = None,
        *,
        features: str = "white_pial",
        hemispheres: Sequence[str] | None = None,
        alignment: str = "rigid",
        spheres_dir: str | os.PathLike[str] | None = None,
        level: int = 6,
    ) -> CortexShapes:
        """Fit to all subjects of a dataset.

        Args:
            dataset_dir: folder of subjects, see :func:`monai_cortex.data.synthesis_subjects`.
            components: at most; by default and at most N - 1.
            features: one of :data:`monai_cortex.geometry.cortex_features.CORTEX_FEATURES`.
            hemispheres: "lh", "rh" or both; None takes all that the subjects have.
            alignment: one of :data:`ALIGNMENTS`, by all vertices alike, of both hemispheres and surfaces together.
            spheres_dir: see :func:`find_correspondence`.
            level: of the icosphere, a count of subdivisions, where spheres are used.

        Raises:
            ConfigError: an option cannot be used.
            InputFileError: fewer than three subjects, unequal hemispheres, all subjects the same, or files that are
                missing or damaged.
            GeometryError: vertices do not correspond, or a surface is damaged.
        """
        _require_option("features", features, CORTEX_FEATURES)
        _require_option("alignment", alignment, ALIGNMENTS)
        items = cortices_of(dataset_dir, hemispheres)
        if len(items) < _FEWEST:
            raise InputFileError(
                "too few subjects for a shape model",
                file=dataset_dir,
                found=f"{len(items)}",
                expected=f"{_FEWEST} or more: two have one difference, and nothing else between them",
                remedy="put more subjects into the folder",
            )
        correspondence = find_correspondence(items, dataset_dir, spheres_dir, level)
        place = dataset_dir if spheres_dir is None else spheres_dir
        people = (read_corresponding(item, correspondence, place) for item in items)
        shapes = torch.stack([stack_cortex(*cortex, features) for cortex in people])
        if alignment != "none":
            shapes = align_shapes(shapes, scale=alignment == "similarity")
        if (shapes - shapes[0]).abs().max() < _ROUNDING:
            raise InputFileError(
                "all subjects have the same surfaces",
                file=dataset_dir,
                found=f"differences below {_ROUNDING} mm",
                expected="people who differ",
                remedy="check that the folders are not copies of one",
            )
        topology = topology_hash(*correspondence.faces)
        model = ShapeModel.fit(shapes, components, topology=topology, features=features)
        return CortexShapes(model, correspondence, alignment, len(items))

    def shape(
        self,
        dataset_dir: str | os.PathLike[str],
        subject: str,
        spheres_dir: str | os.PathLike[str] | None = None,
    ) -> Tensor:
        """The shape of one subject of a dataset, aligned to the model's mean, ``(V, C)`` in mm.

        Args:
            dataset_dir: folder of subjects.
            subject: name of its folder.
            spheres_dir: folder of subjects with registered spheres; None is the dataset's.

        Raises:
            InputFileError: there is no such subject, or a file is missing or damaged.
            GeometryError: its surfaces do not correspond to the model's.
        """
        items = {item["subject"]: item for item in cortices_of(dataset_dir, self.correspondence.sides)}
        if subject not in items:
            raise InputFileError(
                "the dataset has no such subject",
                file=dataset_dir,
                found=subject,
                expected=", ".join(list(items)[:5]) + (" and others" if len(items) > 5 else ""),  # noqa: PLR2004
                remedy="name a sub-folder of the dataset",
            )
        place = dataset_dir if spheres_dir is None else spheres_dir
        cortex = read_corresponding(items[subject], self.correspondence, place)
        shape = stack_cortex(*cortex, self.model.features)
        if self.alignment == "none":
            return shape
        return align_shape(shape, self.model.mean, scale=self.alignment == "similarity")

    def decode(self, code: Tensor) -> CortexMeshes:
        """Surfaces of a code ``(K,)``, in mm."""
        return split_cortex(self.model.decode(code), self.correspondence.faces, self.model.features)

    def residual(self, shape: Tensor) -> float:
        """Root mean square distance in mm of a shape ``(V, C)`` from what its code gives back."""
        off = self.model.decode(self.model.encode(shape)) - shape
        return float(off.square().sum(-1).mean().sqrt())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one npz file without pickle, which holds the triangles too, whole or not at all."""
        about = {"sphere": self.correspondence.sphere, "level": self.correspondence.level}
        about |= {"sides": self.correspondence.sides, "alignment": self.alignment, "people": self.people}
        sides = zip(self.correspondence.sides, self.correspondence.faces, strict=True)
        extra = {f"faces_{side}": faces.numpy().astype(np.int32) for side, faces in sides}
        with atomic_path(path) as temporary:
            self.model.save(temporary, extra | {"about": np.array(json.dumps(about))})

    @staticmethod
    def load(path: str | os.PathLike[str]) -> CortexShapes:
        """Read what :meth:`save` wrote; nothing in the file is run.

        Raises:
            InputFileError: the file is missing, damaged, or no model of cortices.
            GeometryError: its triangles are not those that the model was fitted to.
        """
        model = ShapeModel.load(path)
        try:
            with np.load(Path(path), allow_pickle=False) as content:
                about: dict[str, Any] = json.loads(str(content["about"]))
                sides = tuple(about["sides"])
                faces = tuple(torch.from_numpy(content[f"faces_{side}"].astype(np.int64)) for side in sides)
            split_cortex(model.mean, faces, model.features)
            correspondence = Correspondence(sides, faces, str(about["sphere"]), int(about["level"]))
            found = CortexShapes(model, correspondence, str(about["alignment"]), int(about["people"]))
        except _DAMAGE as error:
            raise InputFileError(
                "the file is no shape model of cortices",
                file=path,
                found=f"{type(error).__name__}: {error}"[:200],
                expected="what `python -m monai_cortex shapes fit` writes",
                remedy="fit the model anew",
            ) from error
        model.require_topology(topology_hash(*faces))
        return found


def _require_option(name: str, value: str, options: Sequence[str]) -> None:
    if value not in options:
        raise ConfigError(f"no such {name}", found=value, expected=", ".join(options), remedy="name one of these")
