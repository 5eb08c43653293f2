from monai_cortex.plugins import get
from monai_cortex.plugins.spherical_diffusion_registration import method


def test_the_method_is_registered_under_its_name():
    assert get("methods", "spherical_diffusion_registration") is method
    assert method.name == method.bundle == "spherical_diffusion_registration"
    assert method.network == "monai_cortex.plugins.networks.spherical_warp_net"
    assert method.paper == "MICCAI 2025"
