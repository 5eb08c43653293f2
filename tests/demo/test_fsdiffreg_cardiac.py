import re

import pytest
import torch

from monai_cortex.demo import DEMONSTRATIONS
from monai_cortex.networks.nets import fsdiffreg_net


@pytest.mark.slow
def test_demonstration_prints_command_table_report_and_where_runs_are(tmp_path, capfd):
    torch.manual_seed(0)
    torch.save(fsdiffreg_net("recommended").state_dict(), tmp_path / "weights.pt")
    DEMONSTRATIONS["fsdiffreg_cardiac"](tmp_path / "out", weights=tmp_path / "weights.pt")
    text = capfd.readouterr().out
    assert text.count("$ python -m monai.bundle run --config_file") == 1
    row = re.search(r"^mean +([\d.]+) +([\d.]+) +([\d.]+)$", text, re.MULTILINE)
    before, network, after = map(float, row.groups())
    # The untrained network moves nothing; the refinement does.
    assert network == pytest.approx(before, abs=1e-3)
    assert after > before + 0.05
    assert re.search(r"^distance from the true motion \[mm\] +[\d.]+ +[\d.]+ +[\d.]+$", text, re.MULTILINE)
    assert f"report  {(tmp_path / 'out').resolve()}/report.html" in text
    (folder,) = (place.parent for place in (tmp_path / "out").glob("*/warp.nii.gz"))
    assert all((folder / name).is_file() for name in ("transform.h5", "score.nii.gz", "qc.png"))
