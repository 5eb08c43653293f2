"""Sample data, written as the files that bundles read: they ship inside the project's dependencies, or are simulated.

A distribution adds sample data of a method as an entry point of the group ``monai_cortex.samples``: its name is that of
the method, its object maps names of subjects to functions that write one into a folder. So comes what is simulated.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from monai_cortex.errors import ConfigError

from .atomic import atomic_folder
from .cortical_samples import write_fsaverage5_cortex, write_mirrored_fsaverage5
from .gradients import GradientTable, write_fsl_gradients
from .mni_samples import write_mni152
from .nifti_writer import write_volume
from .offered import offered, offered_names
from .sample_packages import missing_package
from .sample_record import write_sample_record

__all__ = ["sample_dataset", "write_samples"]

_SMALL_64D = {
    "name": "small_64D",
    "source": "dipy.data.get_fnames('small_64D'), shipped inside the dipy package",
    "license": "BSD-3-Clause",
    "citation": "Garyfallidis et al., Front. Neuroinform. 8:8, 2014, doi:10.3389/fninf.2014.00008",
    "content": "brain diffusion MRI, 10 x 10 x 10 voxels of 2 mm, one volume at b = 0 and 64 near b = 1000 s/mm^2",
    "orientation": "dipy's vectors are along voxel axes; the affine mirrors, so that FSL stores the same numbers",
}


def sample_dataset(slug: str, output_dir: str | os.PathLike[str], subject: str = "") -> str:
    """Dataset folder with the sample data of a method, written on the first call.

    Args:
        slug: name of the method.
        output_dir: the data go to ``samples`` below it.
        subject: the only one to write, for what not all subjects can be used for; "" is all.

    Returns:
        Path of the dataset folder, or of the one subject, which is a dataset too. Subjects are complete,
        also where several processes ask at once.

    Raises:
        ConfigError: there are no samples for the method, no such subject, or a package that is needed is not installed.
        PluginError: two distributions offer them, or the one that does cannot be imported.
    """
    folder = Path(output_dir) / "samples"
    write_samples(slug, folder, replace=False, subject=subject)
    return str(folder / subject)


def write_samples(slug: str, folder: str | os.PathLike[str], *, replace: bool = True, subject: str = "") -> None:
    """Write the sample data of a method.

    Args:
        slug: name of the method.
        folder: dataset folder, one sub-folder for each subject.
        replace: False leaves subjects that are there already.
        subject: the only one to write; "" is all.

    Raises:
        ConfigError: there are no samples for the method, no such subject, or a package that is needed is not installed.
        PluginError: two distributions offer them, or the one that does cannot be imported.
    """
    writers = _writers(slug)
    if subject and subject not in writers:
        raise _unknown("subject", subject, writers)
    for name, write in writers.items():
        if subject not in ("", name):
            continue
        place = Path(folder) / name
        if replace or not place.is_dir():
            with atomic_folder(place, replace=replace) as staging:
                write(staging)


def _writers(slug: str) -> Mapping[str, Callable[[Path], None]]:
    if slug in _SAMPLES:
        return _SAMPLES[slug]
    added = offered("samples", slug)
    if added is None:
        raise _unknown("method", slug, sorted({*_SAMPLES, *offered_names("samples")}))
    writers: Mapping[str, Callable[[Path], None]] = added  # type: ignore[assignment]
    return writers


def _unknown(kind: str, name: str, known: Iterable[str]) -> ConfigError:
    return ConfigError(
        f"there are no sample data for {name!r}",
        found=f"{kind} {name!r}",
        expected=", ".join(known),
        remedy="name one of these, or set dataset_dir",
    )


def _write_small_64d(folder: Path) -> None:
    image_file, bval, bvec = _dipy_files("small_64D")
    image: Any = nib.load(image_file)
    signal, affine = np.asarray(image.dataobj), image.affine
    bvalues, vectors = np.loadtxt(bval), np.nan_to_num(np.loadtxt(bvec))
    write_volume(folder / "dwi.nii.gz", signal, affine, dtype=np.int16)
    # Volumes that hold a zero have lost their signal: no logarithm, no fit.
    write_volume(folder / "mask.nii.gz", (signal > 0).all(-1), affine, dtype=np.uint8)
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    table = GradientTable(bvalues, vectors @ axes.T)
    write_fsl_gradients(folder / "dwi.bval", folder / "dwi.bvec", table, affine)
    write_sample_record(folder, _SMALL_64D)


def _dipy_files(name: str) -> tuple[str, str, str]:
    try:
        from dipy.data import get_fnames  # noqa: PLC0415 (optional, and slow to import)
    except ImportError as error:
        raise missing_package("dipy") from error
    image, bval, bvec = get_fnames(name=name)
    return str(image), str(bval), str(bvec)


_SAMPLES: dict[str, Mapping[str, Callable[[Path], None]]] = {
    "shd_deconvolution": {"small_64D": _write_small_64d},
    "spherical_diffusion_registration": {"fsaverage5_mirrored": write_mirrored_fsaverage5},
    "cor2vox_synthesis": {"fsaverage5": write_fsaverage5_cortex, "mni152": write_mni152},
}
