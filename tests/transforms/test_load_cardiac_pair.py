"""Files of a pair become tensors."""

import numpy as np
import torch

from monai_cortex.data import cardiac_subjects, read_volume
from monai_cortex.transforms import LoadCardiacPair, LoadCardiacPairD, LoadCardiacPaird, LoadCardiacPairDict


def test_pair_agrees(synthetic_hearts):
    (item,) = cardiac_subjects(synthetic_hearts)
    pair, result = LoadCardiacPair()(item), LoadCardiacPaird()(item)
    for name in ("fixed", "moving"):
        image, label = result[f"{name}_full"], result[f"{name}_full_label"]
        assert (image.dtype, label.dtype) == (torch.float32, torch.int16)
        np.testing.assert_array_equal(image[0], getattr(pair, name).values)
        np.testing.assert_array_equal(label[0], getattr(pair, f"{name}_label"))
        np.testing.assert_array_equal(image.affine, pair.fixed.affine)
    assert torch.equal(result["true_displacement"].as_tensor(), pair.true_warp.ddf)
    assert torch.equal(result["true_inverse"].as_tensor(), pair.true_inverse_warp.ddf)
    np.testing.assert_array_equal(result["true_inverse"].affine, pair.true_inverse_warp.affine)
    assert LoadCardiacPairD is LoadCardiacPairDict is LoadCardiacPaird


def test_what_is_in_the_files_and_which(synthetic_hearts):
    (item,) = cardiac_subjects(synthetic_hearts)
    del item["moving_seg"], item["true_warp"]
    before = dict(item)
    result = LoadCardiacPaird()(item)
    assert item == before
    assert "moving_full_label" not in result
    assert "true_displacement" not in result
    np.testing.assert_array_equal(result["moving_full"][0], read_volume(item["moving"]).values)
    names = ("fixed", "fixed_seg", "moving", "true_inverse_warp")
    assert result["sources"] == [f"heart-0000/{name}.nii.gz" for name in names]
