import torch
from monai.engines import SupervisedTrainer

from monai_cortex.handlers import Session
from monai_cortex.handlers.batch_loss import BatchLoss


class Square(torch.nn.Module):
    def forward(self, prediction, _):
        result = prediction.square().mean()
        self.latest = {"square": result.detach(), "double": 2 * result.detach()}
        return result


def trainer(values):
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.ones_(network.weight)
    data = [{"image": torch.tensor([[value]]), "label": torch.tensor([[0.0]])} for value in values]
    optimizer = torch.optim.SGD(network.parameters(), lr=0.0)
    return SupervisedTrainer(
        torch.device("cpu"), 1, data, network, optimizer, Square(), epoch_length=len(data), decollate=False
    )


def test_all_processes_report_the_loss_of_the_whole_batch(in_processes):
    assert in_processes(_reported) == [[5.0, 5.0, 10.0, 2.0], [5.0, 5.0, 10.0, 18.0]]


def _reported(rank):
    engine = trainer([3.0 if rank else 1.0])
    Session(0).attach(engine)
    engine.run()
    terms = engine.loss_function.latest
    own = engine.network.weight.grad.item()  # that of its own loss, which DistributedDataParallel would average
    return [float(engine.state.output["loss"]), *map(float, terms.values()), own]


def test_one_process_is_left_as_it_is():
    engine = trainer([1.0])
    BatchLoss().attach(engine)
    engine.run()
    assert engine.state.output["loss"].requires_grad
