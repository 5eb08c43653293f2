"""What is on the list exists, what must never be on it is not, and our own bundles need nothing else."""

from pydoc import locate

import pytest

from monai_cortex.zoo import allowed_names
from monai_cortex.zoo.allowed_names import is_function, is_target


@pytest.mark.parametrize("name", sorted(allowed_names._FUNCTIONS))
def test_listed_name_exists(name):
    assert locate(name) is not None


@pytest.mark.parametrize(
    "name",
    [
        "torch.nn.Conv3d",
        "torch.optim.lr_scheduler.OneCycleLR",
        "monai.losses.DiceLoss",
        "monai.networks.nets.UNet",
        "monai_cortex.handlers.RunReport",
        "monai_cortex.plugins.networks.conditional_unet",
    ],
)
def test_target_passes(name):
    assert is_target(name)


@pytest.mark.parametrize(
    "name",
    [
        "torch.load",
        "torch.save",
        "torch.jit.load",
        "torch.nn.functional.relu",
        "torch.nn.Module.load_state_dict",
        "torch.nn.modules.Conv3d",
        "torch.os.system",
        "torch.package.PackageImporter",
        "torch.multiprocessing.spawn",
        "monai.losses.PerceptualLoss",
        "monai.networks.nets.MILModel",
        "monai.transforms.TorchVision",
        "monai.transforms.utils.np.load",
        "monai.transforms.Compose.func",
        "monai.apps.download_url",
        "monai.bundle.run",
        "monai.data.LMDBDataset",
        "monai.handlers.MLFlowHandler",
        "monai_x.transforms.Compose",
        "monai_cortex.plugins.methods.shd_deconvolution",
        "monai_cortex.plugins.networks.nobody_has_it",
        "monai_cortex.plugins.get",
        "monai_cortex.data.write_volume",
        "numpy.load",
        "os.system",
        "builtins.eval",
    ],
)
def test_target_does_not_pass(name):
    assert not is_target(name)


def test_functions_of_expressions_leave_classes_that_open_by_name_out():
    assert is_function("monai.data.utils.no_collation")
    assert is_function("torch.cuda.is_available")
    assert is_function("np.float32")
    for name in ("monai.transforms.LoadImage", "monai.data.Dataset", "torch", "np.load", "torch.tensor.x"):
        assert not is_function(name)
