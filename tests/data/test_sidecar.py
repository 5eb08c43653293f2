import hashlib
import json

import pytest

from monai_cortex.data import write_sidecar


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("a.nii.gz", "a.json"),
        ("a.nii", "a.json"),
        ("transform.h5", "transform.json"),
        ("lh.sphere.mcx.reg.surf.gii", "lh.sphere.mcx.reg.surf.json"),
        ("lh.sphere.mcx.reg", "lh.sphere.mcx.reg.json"),
        ("lh.mcx.mean.inflated.H", "lh.mcx.mean.inflated.H.json"),
    ],
)
def test_record_lies_beside_the_file_and_tells_its_content(tmp_path, name, record):
    (tmp_path / name).write_bytes(b"content")
    write_sidecar(tmp_path / name, {"units": "mm", "sha256": "of another file"})
    found = json.loads((tmp_path / record).read_text())
    assert found == {"units": "mm", "sha256": hashlib.sha256(b"content").hexdigest()}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, record])


def test_file_that_does_not_exist_is_no_silent_record(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_sidecar(tmp_path / "a.nii", {})
    assert not list(tmp_path.iterdir())
