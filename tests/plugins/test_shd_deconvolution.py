from monai_cortex.plugins import get
from monai_cortex.plugins.shd_deconvolution import method


def test_the_method_is_registered_under_its_name():
    assert get("methods", "shd_deconvolution") is method
    assert method.name == method.bundle == "shd_deconvolution"
    assert method.network == "monai_cortex.plugins.networks.hemispherical_unet"
    assert method.paper == "arXiv:2411.11819"
