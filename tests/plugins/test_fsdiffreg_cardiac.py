from monai_cortex.plugins import get
from monai_cortex.plugins.fsdiffreg_cardiac import method


def test_the_method_is_registered_under_its_name():
    assert get("methods", "fsdiffreg_cardiac") is method
    assert method.name == method.bundle == "fsdiffreg_cardiac"
    assert method.network == "monai_cortex.plugins.networks.fsdiffreg_net"
    assert method.paper == "MICCAI 2023"
