import torch
from monai.data import MetaTensor

from monai_cortex.inferers.cortex_batch import CortexPrepareBatch, join_channels, noise_and_timesteps


class Halved(CortexPrepareBatch):
    """A label, and a draw, that can be told apart."""

    def draw(self, images, source):
        return images / 2, {"sum": images + source}


def batch():
    shape = (2, 1, 3, 3, 3)
    return {"image": MetaTensor(torch.ones(shape), affine=torch.eye(4)), "source": torch.full(shape, 3.0)}


def test_batches_hold_images_label_draws_and_fields():
    condition = torch.zeros(2, 4, 3, 3, 3)
    images, label, arguments, named = Halved()({**batch(), "condition": condition}, "cpu")
    assert torch.equal(label, images / 2)
    assert arguments == ()
    assert set(named) == {"sum", "source", "condition"}
    assert named["condition"] is condition or torch.equal(named["condition"], condition)
    assert float(named["sum"].mean()) == 4


def test_without_a_condition_it_is_none_and_tensors_are_plain():
    images, _, _, named = Halved()(batch(), "cpu", dtype=torch.float64)
    assert named["condition"] is None
    assert type(images) is torch.Tensor
    assert images.dtype == torch.float64


def test_channels_are_joined_in_their_order():
    first, second = torch.zeros(2, 1, 3, 3, 3), torch.ones(2, 2, 3, 3, 3)
    joined = join_channels(first, None, second)
    assert joined.mean((0, 2, 3, 4)).tolist() == [0, 1, 1]


def test_timesteps_are_those_of_the_schedule_and_noise_is_normal():
    torch.manual_seed(0)
    drawn = noise_and_timesteps(torch.zeros(4000, 1, 2, 2, 2), 7)
    assert drawn["timesteps"].unique().tolist() == list(range(7))
    assert abs(float(drawn["noise"].mean())) < 0.03
    assert abs(float(drawn["noise"].std()) - 1) < 0.03


def test_processes_draw_their_rows_of_one_batch(as_process):
    def draw(images):
        torch.manual_seed(0)
        return noise_and_timesteps(images, 1000)

    whole = draw(torch.zeros(4, 1, 2, 3, 2))
    for rank in range(2):
        with as_process(rank, 2):
            own = draw(torch.zeros(2, 1, 2, 3, 2))
        assert all(torch.equal(own[name], values[2 * rank : 2 * rank + 2]) for name, values in whole.items())
