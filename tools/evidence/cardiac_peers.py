"""Registration of two images by other programs, with the results as displacement fields of this project."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from cardiac_pairs import plain
from numpy.typing import NDArray
from torch import Tensor

from monai_cortex.geometry.displacement_space import from_world

__all__ = ["PEERS", "demons", "elastix", "peer_field", "sitk_image"]

_SHRINKS = ((4, 4, 1), (2, 2, 1), (1, 1, 1))
_LPS = np.diag([-1.0, -1.0, 1.0])


def peer_field(name: str, item: Mapping[str, Any]) -> tuple[Tensor, float]:
    """Register the two images of an item by one of :data:`PEERS`.

    The programs see the same scaled images as the network, without the padding along the slices' axis.

    Returns:
        Field in voxels of the registration grid ``(3, I, J, K)``, in the padding that of the nearest slice; and
        seconds of the processor.
    """
    kept = plain(item, "valid")[0].amax((0, 1)).nonzero().flatten()
    first, last = int(kept[0]), int(kept[-1])
    affine = torch.as_tensor(item["fixed_image"].affine).as_subclass(Tensor).double().numpy().copy()
    affine[:3, 3] += affine[:3, 2] * first
    pair = [plain(item, key)[0, :, :, first : last + 1].numpy() for key in ("fixed_image", "moving_image")]
    start = time.process_time()
    vectors = PEERS[name](*pair, affine)
    seconds = time.process_time() - start
    ddf = from_world(torch.from_numpy(vectors), torch.from_numpy(affine)).float()
    places = torch.arange(plain(item, "valid").shape[3]).clamp(first, last) - first
    return ddf[..., places].contiguous(), seconds


def demons(
    fixed: NDArray[np.float32], moving: NDArray[np.float32], affine: NDArray[np.float64], iterations: int = 50
) -> NDArray[np.float64]:
    """Diffeomorphic demons of SimpleITK, three levels, fields smoothed by 1.5 voxels.

    Args:
        fixed, moving: ``(I, J, K)``.
        affine: of their grid, voxel indices to RAS+ mm.
        iterations: of each level.

    Returns:
        Vectors from fixed to moving points, mm LPS, ``(I, J, K, 3)``.
    """
    import SimpleITK as sitk  # noqa: N813, PLC0415 (optional)

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(torch.get_num_threads())
    still, moved = sitk_image(fixed, affine), sitk_image(moving, affine)
    moved = sitk.HistogramMatching(moved, still, 1024, 7, False)
    method = sitk.DiffeomorphicDemonsRegistrationFilter()
    method.SetNumberOfIterations(iterations)
    method.SetStandardDeviations(1.5)
    field: Any = None
    for shrink in _SHRINKS:
        images = [sitk.BinShrink(image, shrink) for image in (still, moved)]
        if field is None:
            field = method.Execute(*images)
            continue
        begin = sitk.Resample(field, images[0], sitk.Transform(), sitk.sitkLinear, 0.0, sitk.sitkVectorFloat64, True)
        field = method.Execute(*images, begin)
    return np.asarray(sitk.GetArrayFromImage(field)).transpose(2, 1, 0, 3).astype(np.float64)


def elastix(
    fixed: NDArray[np.float32], moving: NDArray[np.float32], affine: NDArray[np.float64], spacing: float = 12.0
) -> NDArray[np.float64]:
    """B-splines of elastix by mutual information, four levels.

    Args:
        fixed, moving: ``(I, J, K)``.
        affine: of their grid, voxel indices to RAS+ mm.
        spacing: of the finest knots, mm.

    Returns:
        Vectors from fixed to moving points, mm LPS, ``(I, J, K, 3)``.
    """
    import itk  # noqa: PLC0415 (optional)

    images = [itk_image(image, affine) for image in (fixed, moving)]
    parameters = itk.ParameterObject.New()
    table = dict(parameters.GetDefaultParameterMap("bspline", 4, spacing))
    table |= {
        "Registration": ["MultiResolutionRegistration"],
        "Metric": ["AdvancedMattesMutualInformation"],
        "FixedImagePyramid": ["FixedSmoothingImagePyramid"],
        "MaximumNumberOfIterations": ["500"],
        "NumberOfSpatialSamples": ["4096"],
        "RandomSeed": ["1"],
        "WriteResultImage": ["false"],
    }
    parameters.AddParameterMap({key: value for key, value in table.items() if key != "Metric1Weight"})
    threads = torch.get_num_threads()
    itk.MultiThreaderBase.SetGlobalDefaultNumberOfThreads(threads)
    _, found = itk.elastix_registration_method(
        *images, parameter_object=parameters, number_of_threads=threads, log_to_console=False
    )
    with TemporaryDirectory() as folder:  # it writes the field, whether one wants a file or not
        field = itk.transformix_deformation_field(images[1], found, output_directory=folder)
    return np.asarray(itk.array_from_image(field)).transpose(2, 1, 0, 3).astype(np.float64)


def sitk_image(values: NDArray[Any], affine: NDArray[np.float64], vector: bool = False) -> Any:
    """Image of SimpleITK from values ``(I, J, K)``, or ``(I, J, K, C)`` if they are vectors."""
    import SimpleITK as sitk  # noqa: N813, PLC0415 (optional)

    image = sitk.GetImageFromArray(np.moveaxis(values, (0, 1, 2), (2, 1, 0)).copy(), isVector=vector)
    spacing, origin, directions = _geometry(affine)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection(np.asarray(directions).ravel().tolist())
    return image


def itk_image(values: NDArray[Any], affine: NDArray[np.float64]) -> Any:
    """Image of ITK from values ``(I, J, K)``."""
    import itk  # noqa: PLC0415 (optional)

    image = itk.image_from_array(values.transpose(2, 1, 0).copy())
    spacing, origin, directions = _geometry(affine)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection(directions)
    return image


PEERS: Mapping[str, Callable[..., NDArray[np.float64]]] = {"demons": demons, "elastix": elastix}


def _geometry(affine: NDArray[np.float64]) -> tuple[Sequence[float], Sequence[float], NDArray[np.float64]]:
    """Spacing, origin and directions as ITK has them, in LPS."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    return spacing.tolist(), (_LPS @ affine[:3, 3]).tolist(), _LPS @ affine[:3, :3] / spacing
