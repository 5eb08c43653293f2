import re

import pytest
import torch

from monai_cortex.demo import DEMONSTRATIONS
from monai_cortex.networks.nets import ConditionalUNet


@pytest.mark.slow
def test_demonstration_prints_command_tables_report_and_where_runs_are(tmp_path, capfd):
    pytest.importorskip("nilearn")
    torch.manual_seed(0)
    torch.save(ConditionalUNet().state_dict(), tmp_path / "weights.pt")
    DEMONSTRATIONS["cor2vox_synthesis"](tmp_path / "out", weights=tmp_path / "weights.pt")
    text = capfd.readouterr().out
    assert text.count("$ python -m monai.bundle run --config_file") == 1
    found = re.findall(r"^(white|pial) +([\d.]+) +([\d.]+) +([\d.]+)$", text, re.MULTILINE)
    assert [row[0] for row in found] == ["white", "pial"]
    # The surfaces are near where they were drawn from, whatever the network adds.
    assert all(float(row[1]) < 3 for row in found)
    assert re.search(r"^dose 0.5 mm +0.50 +[\d.-]+ +[\d.]+$", text, re.MULTILINE)
    assert f"report  {(tmp_path / 'out').resolve()}/report.html" in text
    for name in ("synth_T1w", "atrophy-0.50mm_T1w", "white_sdf"):
        assert (tmp_path / "out" / "fsaverage5" / f"{name}.nii.gz").is_file()
