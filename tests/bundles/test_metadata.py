"""What the metadata of a bundle say: in the schema's terms, and true of the network."""

import shutil
from pathlib import Path

import pytest
from monai.bundle import verify_metadata, verify_net_in_out

from monai_cortex.data import bundle_folder, sha256

ROOT = Path(__file__).parents[2]
SLUGS = sorted(path.name for path in (ROOT / "bundles").iterdir())
# What stands for a size that may be any, and for one that is a multiple of something.
SIZES = {"shd_deconvolution": [{"any": 4}], "fsdiffreg_cardiac": [{"n": 1}, {"n": 2}]}


@pytest.mark.parametrize("slug", SLUGS)
def test_metadata_keep_the_schema(tmp_path, slug):
    local = Path(shutil.copy(ROOT / "configs" / "schema.json", tmp_path))
    path = f"{bundle_folder(slug)}/configs/metadata.json"
    verify_metadata(path, str(local), create_dir=False, hash_val=sha256(local), hash_type="sha256")


@pytest.mark.parametrize(("slug", "size"), [(slug, size) for slug in SLUGS for size in SIZES.get(slug, [{}])])
def test_network_takes_and_gives_what_the_metadata_say(slug, size):
    root = bundle_folder(slug)
    files = {"meta_file": f"{root}/configs/metadata.json", "config_file": f"{root}/configs/inference.json"}
    verify_net_in_out(net_id="network_verify", bundle_root=root, **files, **size)
