r"""Principal components of shapes in vertex correspondence, with whitened codes.

Of S shapes :math:`x`, the mean :math:`\mu` is removed, and :math:`X = U \operatorname{diag}(s) V^T`. With the
deviations :math:`\lambda_k = s_k / \sqrt{S - 1}`, a code is

.. math:: z_k = (x - \mu) \cdot v_k / \lambda_k, \qquad x = \mu + \sum_k \lambda_k z_k v_k.

With all S - 1 components, every training shape's code has the norm :math:`(S - 1) / \sqrt{S}` and every two have the
cosine :math:`-1 / (S - 1)`: algebra, not a finding.
"""

from __future__ import annotations

import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from monai_cortex.errors import GeometryError, InputFileError
from monai_cortex.geometry.slerp import lerp, slerp

__all__ = ["ShapeModel"]

_FORMAT = "monai_cortex shape model 1"
_ARRAYS = ("mean", "scale", "directions", "deviations")
_TEXTS = ("format", "topology", "features")
# What numpy and zipfile raise for bytes that are no archive, a damaged one, or one of other things.
_DAMAGE = (
    *(OSError, ValueError, TypeError, KeyError, EOFError, AttributeError, OverflowError, RuntimeError),
    *(MemoryError, SyntaxError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)
_LEAST = 1e-10  # eigenvalues relative to the largest one; below, rounding decides


@dataclass(frozen=True)
class ShapeModel:
    """A fitted model; made by :meth:`fit` or :meth:`load`.

    Attributes:
        mean: ``(V, C)``, in the unit of the shapes, such as mm.
        scale: what features are divided by before the components are looked for, ``(V, C)``; ones in the usual model.
        directions: orthonormal v, ``(K, V, C)``.
        deviations: lambda, in the unit of the scaled features, falling, ``(K,)``.
        topology: of the meshes, from :func:`monai_cortex.geometry.topology.topology_hash`, or "".
        features: what the C features are, such as "white_pial", or "".
    """

    mean: Tensor
    scale: Tensor
    directions: Tensor
    deviations: Tensor
    topology: str = ""
    features: str = ""

    slerp = staticmethod(slerp)
    lerp = staticmethod(lerp)

    @staticmethod
    def fit(
        shapes: Tensor,
        components: int | None = None,
        *,
        topology: str = "",
        features: str = "",
        standardize: bool = False,
    ) -> ShapeModel:
        """Fit to shapes in vertex correspondence.

        Args:
            shapes: of S people, ``(S, V, C)``; C is 3 for coordinates in mm.
            components: K, at most; by default and at most S - 1. Fewer where the shapes span fewer.
            topology: of the meshes, kept in the model.
            features: what the C features are, kept in the model.
            standardize: divide each feature by its deviation over people first; where all are equal, by 1.

        Returns:
            The model, float64.

        Raises:
            ValueError: for fewer than two shapes, shapes that are not finite or all the same, or no component.
        """
        if shapes.ndim != 3 or len(shapes) < 2 or not torch.isfinite(shapes).all():  # noqa: PLR2004
            raise ValueError(
                f"need two finite shapes or more, (S, V, C), got another kind, of shape {tuple(shapes.shape)}."
            )
        most = len(shapes) - 1 if components is None else min(components, len(shapes) - 1)
        if most < 1:
            raise ValueError(f"a model has one component or more, got {components}.")
        values = shapes.double()
        mean = values.mean(0)
        scale = values.std(0) if standardize else torch.ones_like(mean)
        scale = torch.where(scale > 0, scale, 1.0)
        centered = ((values - mean) / scale).flatten(1)
        squares, left = torch.linalg.eigh(centered @ centered.T)
        squares, left = squares.flip(0)[:most], left.flip(1)[:, :most]
        kept = squares > _LEAST * squares[0]
        if not squares[0] > 0:
            raise ValueError("all shapes are the same: there is nothing to model.")
        singular = squares[kept].sqrt()
        directions = (left[:, kept] / singular).T @ centered
        deviations = singular / (len(shapes) - 1) ** 0.5
        return ShapeModel(mean, scale, directions.reshape(-1, *mean.shape), deviations, topology, features)

    def encode(self, shapes: Tensor) -> Tensor:
        """Whitened codes ``(..., K)`` of shapes ``(..., V, C)``; what lies off the components is dropped.

        Raises:
            ValueError: if the shapes have another number of vertices or features.
        """
        if shapes.shape[-2:] != self.mean.shape:
            raise ValueError(f"the model's shapes are {tuple(self.mean.shape)}, got {tuple(shapes.shape[-2:])}.")
        centered = ((shapes.to(self.mean) - self.mean) / self.scale).flatten(-2)
        return centered @ self.directions.flatten(1).T / self.deviations

    def decode(self, codes: Tensor) -> Tensor:
        """Shapes ``(..., V, C)``, in the training shapes' unit, of codes ``(..., K)``.

        Raises:
            ValueError: if the codes have another length.
        """
        if codes.shape[-1:] != self.deviations.shape:
            raise ValueError(f"the model's codes have {len(self.deviations)} numbers, got {codes.shape[-1]}.")
        flat = (codes.to(self.mean) * self.deviations) @ self.directions.flatten(1)
        return self.mean + self.scale * flat.reshape(*codes.shape[:-1], *self.mean.shape)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Codes ``(n, K)`` of new shapes, standard normal.

        Args:
            n: how many.
            generator: of the random numbers.
        """
        return torch.randn(n, len(self.deviations), generator=generator, dtype=torch.float64).to(self.mean)

    def require_topology(self, topology: str) -> None:
        """Refuse meshes that the model was not made from.

        Args:
            topology: of the meshes, from :func:`monai_cortex.geometry.topology.topology_hash`.

        Raises:
            GeometryError: if the model knows its own and it is another one.
        """
        if self.topology and topology != self.topology:
            raise GeometryError(
                "the shape model belongs to other meshes",
                found=f"triangles with the sum {topology[:12] or 'of none'}",
                expected=f"those with the sum {self.topology[:12]}",
                remedy="take the meshes that the model was fitted to, or fit one to yours",
            )

    def save(self, path: str | os.PathLike[str], extra: Mapping[str, NDArray[Any]] | None = None) -> None:
        """Write one npz file, in the precision of the tensors; the caller sees to it that it appears whole.

        Args:
            path: of the file, under exactly this name.
            extra: arrays that the file holds besides, under names that the model does not use; :meth:`load` passes
                them over.
        """
        arrays = {name: getattr(self, name).cpu().numpy() for name in _ARRAYS}
        texts = {"format": _FORMAT, "topology": self.topology, "features": self.features}
        with open(path, "wb") as stream:
            labels = {name: np.array(text) for name, text in texts.items()}
            np.savez(stream, allow_pickle=False, **arrays, **labels, **(extra or {}))

    @staticmethod
    def load(path: str | os.PathLike[str], topology: str = "") -> ShapeModel:
        """Read what :meth:`save` wrote; nothing in the file is run.

        Args:
            path: of the file.
            topology: of the meshes that it is to be used with; "" asks for none.

        Raises:
            InputFileError: the file is missing, damaged or no shape model.
            GeometryError: it belongs to other meshes.
        """
        try:
            with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as content:
                # What save writes is not compressed: an archive that expands is none of ours.
                if any(part.compress_type or part.file_size != part.compress_size for part in content.zip.infolist()):
                    raise ValueError("its arrays are compressed")
                found: dict[str, Any] = {name: torch.from_numpy(content[name]) for name in _ARRAYS}
                found |= {name: str(content[name]) for name in _TEXTS}
        except _DAMAGE as error:
            _refuse(path, f"{type(error).__name__}: {error}"[:200], error)
        if (form := found.pop("format")) != _FORMAT:
            _refuse(path, f"the format {form[:40]!r}")
        model = ShapeModel(**found)
        if wrong := _contradiction(model):
            _refuse(path, wrong)
        if topology:
            model.require_topology(topology)
        return model


def _contradiction(model: ShapeModel) -> str:
    """What is wrong with a model's arrays, or nothing."""
    sizes = {name: tuple(getattr(model, name).shape) for name in _ARRAYS}
    count, shape = len(model.deviations) if model.deviations.ndim == 1 else 0, sizes["mean"]
    fitting = {"mean": shape, "scale": shape, "directions": (count, *shape), "deviations": (count,)}
    if sizes != fitting or len(shape) != 2 or not count:  # noqa: PLR2004
        return f"arrays of shapes {sizes}"
    arrays: list[Any] = [getattr(model, name) for name in _ARRAYS]
    if not all(array.is_floating_point() and torch.isfinite(array).all() for array in arrays):
        return "numbers that are not finite, or integers"
    return "" if min(model.scale.min(), model.deviations.min()) > 0 else "deviations that are not positive"


def _refuse(path: str | os.PathLike[str], found: str, cause: Exception | None = None) -> NoReturn:
    raise InputFileError(
        "the file is missing, damaged or no shape model",
        file=path,
        found=found,
        expected="an npz file written by ShapeModel.save",
        remedy="copy the file again, or fit the model anew",
    ) from cause
