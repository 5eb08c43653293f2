import torch

from monai_cortex.inferers import prepare_deconvolution_batch


def test_features_go_to_the_network_and_the_signal_to_the_loss():
    batch = {name: torch.full((2, 3), float(i)) for i, name in enumerate(["features", "dwi", "design", "mask"])}
    features, target = prepare_deconvolution_batch(batch | {"subject": ["a", "b"]}, "cpu", True, unknown=1)
    assert features is batch["features"]
    assert target == {name: batch[name] for name in ("dwi", "design", "mask")}


def test_everything_is_moved_to_the_device():
    batch = {name: torch.ones(1) for name in ("features", "dwi", "design", "mask")}
    features, target = prepare_deconvolution_batch(batch, torch.device("meta"))
    assert {value.device.type for value in (features, *target.values())} == {"meta"}
