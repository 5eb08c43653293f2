from dataclasses import replace

import numpy as np
import pytest

from monai_cortex.data import diffusion_subjects, read_diffusion, rotation_of, sample_dataset
from monai_cortex.data.gradient_axes import check_gradient_axes
from monai_cortex.errors import GradientError
from monai_cortex.geometry.fiber_coherence import axis_orders
from monai_cortex.simulate import reference_scene, simulate_diffusion


@pytest.fixture(scope="module")
def scan():
    subject = simulate_diffusion(3, "clinical_16", 30.0, scene=reference_scene())
    mask = (subject.phantom.tissues[0] > 0).numpy()
    return {
        "signal": subject.signal.numpy(),
        "affine": np.asarray(subject.phantom.affine),
        "table": subject.table,
        "mask": mask,
    }


def turned(scan, matrix):
    table = replace(scan["table"], directions=scan["table"].directions @ np.array(matrix, np.float64).T)
    return {**scan, "table": table}


def test_right_gradients_pass(scan):
    check_gradient_axes(**scan)


def test_all_flipped_is_the_same_gradients(scan):
    check_gradient_axes(**turned(scan, -np.eye(3)))


@pytest.mark.parametrize(
    "matrix", [np.diag([-1, 1, 1]), np.diag([1, -1, 1]), [[0, 1, 0], [1, 0, 0], [0, 0, 1]], np.eye(3)[[1, 2, 0]]]
)
def test_flipped_and_swapped_gradients_are_refused(scan, matrix):
    with pytest.raises(GradientError, match="flipped or swapped") as caught:
        check_gradient_axes(**turned(scan, matrix), file="dwi.bvec", subject="s1")
    assert "dwi.bvec" in str(caught.value)


@pytest.mark.parametrize("flipped", [False, True])
def test_known_fibers_tell_where_coherence_cannot(scan, flipped):
    """One direction everywhere is as coherent however it is turned."""
    fiber = np.array([0.6, 0.8, 0.0])
    table, shape = scan["table"], (8, 8, 8)
    cosine = table.directions @ fiber
    decay = np.exp(-table.bvalues * (0.2e-3 + 1.5e-3 * cosine**2))
    plain = {
        "signal": np.broadcast_to(decay[:, None, None, None], (len(decay), *shape)).astype(np.float32),
        "affine": np.eye(4),
        "table": replace(table, directions=table.directions * [1, -1, 1]) if flipped else table,
        "mask": np.ones(shape, bool),
    }
    check_gradient_axes(**plain)
    known = np.tile(fiber, (*shape, 1))
    if flipped:
        with pytest.raises(GradientError, match="flipped"):
            check_gradient_axes(**plain, fibers=known)
    else:
        check_gradient_axes(**plain, fibers=known)


def test_shell_whose_b_values_differ_is_judged_whole():
    subject = simulate_diffusion(3, (2, ((2990, 10), (3000, 10), (3010, 10))), 40.0, scene=reference_scene())
    scan = {
        "signal": subject.signal.numpy(),
        "affine": np.asarray(subject.phantom.affine),
        "table": subject.table,
        "mask": (subject.phantom.tissues[0] > 0).numpy(),
    }
    check_gradient_axes(**scan)
    with pytest.raises(GradientError, match="flipped"):
        check_gradient_axes(**turned(scan, np.diag([1, -1, 1])))


def test_all_23_wrong_orders_are_found_on_a_real_scan(tmp_path):
    (item,) = diffusion_subjects(sample_dataset("shd_deconvolution", tmp_path))
    scan = read_diffusion(item)
    to_world = rotation_of(scan.affine)
    refused = []
    for order in axis_orders().numpy():
        turned_back = replace(scan.table, directions=scan.table.directions @ to_world @ order.T @ to_world.T)
        try:
            check_gradient_axes(scan.signal, scan.affine, turned_back, scan.mask)
            refused.append(False)
        except GradientError:
            refused.append(True)
    assert refused == [False] + [True] * 23


def test_too_little_to_tell_passes(scan):
    few = np.zeros_like(scan["mask"])
    few[:3] = scan["mask"][:3]
    check_gradient_axes(
        **turned({**scan, "mask": few & (np.cumsum(few).reshape(few.shape) < 190)}, np.diag([-1, 1, 1]))
    )
    three = np.flatnonzero(scan["table"].bvalues > 0)[:3].tolist()
    kept = [0, *three]
    table = replace(scan["table"], bvalues=scan["table"].bvalues[kept], directions=scan["table"].directions[kept])
    check_gradient_axes(scan["signal"][kept], scan["affine"], table, scan["mask"])
