import re
import shlex
import shutil
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROGRAM = re.compile(r"(\w+=\S+ )*(\$|python|pip|make|torchrun|mlflow|python3|cd|srun|sbatch|monai_cortex) ?\b")


@pytest.fixture(scope="session")
def repository():
    return ROOT


@pytest.fixture(scope="session")
def package():
    return ROOT / "monai_cortex"


def is_whole(command):
    """Whether no quotation goes on in the next line."""
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return True


def commands(text):
    """Commands of the blocks of a document as they are printed, and whether the block is for any program.

    A plain block that begins with no program, such as settings or a tree of folders, holds none. Where lines begin with
    a dollar, the others are answers. A block marked `bash` is one script.
    """
    for language, block in BLOCK.findall(text):
        if language == "bash":
            yield True, block
        elif language == "sh" or (not language and PROGRAM.match(block)):
            yield from ((bool(language), command) for command in lines_of(block))


def lines_of(block):
    typed = re.findall(r"^\$ (.*)$", block, re.MULTILINE)
    waiting = ""
    for line in typed or block.splitlines():
        waiting += f"{line}\n"
        if line.endswith("\\") or not is_whole(waiting):
            continue
        if shlex.split(waiting, comments=True):
            yield waiting.strip()
        waiting = ""
    assert not waiting, f"an open quotation: {waiting}"


@pytest.fixture(scope="session")
def printed_commands():
    return commands


@pytest.fixture
def plant(tmp_path):
    """Write a file below a temporary folder, which stands for the package or the repository."""

    def write(name, text=""):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return tmp_path

    return write


@pytest.fixture(scope="session")
def users_names():
    """What the documents call the files that their readers bring."""
    return ("DATASET", "MULTISHELL", "OTHER_SHELLS", "SUBJECTS_DIR", "PAIRS", "ACDC", "contour.csv", *SAME_FILES)


@pytest.fixture(scope="session")
def users_files(tmp_path_factory):
    """Gives the folder with those files, small and simulated, when it is first asked."""
    return cache(lambda: write_users_files(tmp_path_factory.mktemp("users")))


def write_users_files(folder):
    write_scans(folder / "DATASET", (1000,))
    write_scans(folder / "MULTISHELL", (1000, 2000, 3000))
    write_scans(folder / "OTHER_SHELLS", (700, 1200, 2800))
    write_people(folder / "SUBJECTS_DIR", ("sub-01", "sub-02", "fsaverage"))
    write_hearts(folder / "PAIRS", 6)
    write_patients(folder / "ACDC", folder / "PAIRS")
    for name, source in SAME_FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(folder / source)
    (folder / "contour.csv").write_text("x,y,z,name\n0,0,0,apex\n5,5,5,base\n")
    return folder


# Other names of the same.
SAME_FILES = {
    "DATASET_DIR": "SUBJECTS_DIR",
    "HELD_OUT": "SUBJECTS_DIR",
    "SCANNER_A": "SUBJECTS_DIR",
    "SCANNER_B": "SUBJECTS_DIR",
    "TARGET": "SUBJECTS_DIR/fsaverage",
    "FREESURFER/subjects/fsaverage": "SUBJECTS_DIR/fsaverage",
    "PATIENTS": "ACDC",
    "fixed.nii.gz": "ACDC/patient001/patient001_frame12.nii.gz",
    "moving.nii.gz": "ACDC/patient001/patient001_frame01.nii.gz",
    "moving_seg.nii.gz": "ACDC/patient001/patient001_frame01_gt.nii.gz",
    "warp.nii.gz": "PAIRS/heart-0000/true_warp.nii.gz",
    "inverse_warp.nii.gz": "PAIRS/heart-0000/true_inverse_warp.nii.gz",
    "mask.nii.gz": "DATASET/sub-01/mask.nii.gz",
}


def write_scans(folder, bvalues):
    from monai_cortex.simulate import simulate_diffusion, write_simulated_diffusion

    protocol = (2, [(b, 32) for b in bvalues])
    for number, name in enumerate(("sub-01", "sub-02")):
        write_simulated_diffusion(folder / name, simulate_diffusion(number, protocol, shape=(8, 8, 4)))


def write_people(folder, names):
    """FreeSurfer folders with all that any bundle reads; regions are halves of the brain with names of real ones."""
    import nibabel as nib
    import numpy as np

    from monai_cortex.simulate import write_synthetic_brains, write_synthetic_cortices

    write_synthetic_brains(folder / ".brains", len(names), spacing=3.0)
    write_synthetic_cortices(folder / ".spheres", len(names))
    colors = np.array([[200, 10, 10, 0], [10, 10, 200, 0]])
    for number, name in enumerate(names):
        for kind in (".brains", ".spheres"):
            shutil.copytree(folder / kind / f"synthetic-{number:04d}", folder / name, dirs_exist_ok=True)
        (folder / name / "label").mkdir()
        for side in ("lh", "rh"):
            points, _ = nib.freesurfer.read_geometry(folder / name / "surf" / f"{side}.white")
            halves = (points[:, 1] > points[:, 1].mean()).astype(int)
            path = folder / name / "label" / f"{side}.aparc.annot"
            nib.freesurfer.write_annot(path, halves, colors, [b"entorhinal", b"parahippocampal"], fill_ctab=True)
    for kind in (".brains", ".spheres"):
        shutil.rmtree(folder / kind)


def write_hearts(folder, count):
    from monai_cortex.simulate import write_synthetic_hearts

    write_synthetic_hearts(folder, count)


def write_patients(folder, hearts):
    """The layout in which ACDC is distributed."""
    for number, heart in enumerate(sorted(hearts.iterdir())[:2], 1):
        place = folder / f"patient{number:03d}"
        place.mkdir(parents=True)
        (place / "Info.cfg").write_text("ED: 1\nES: 12\nGroup: NOR\n")
        for name, frame in (("moving", 1), ("fixed", 12)):
            for part, end in (("", ""), ("_seg", "_gt")):
                shutil.copy(heart / f"{name}{part}.nii.gz", place / f"{place.name}_frame{frame:02d}{end}.nii.gz")
