import io
import json
import os

from monai_cortex.cohort.worker import serve
from monai_cortex.data import bundle_folder


def _answers(*requests):
    answers = io.StringIO()
    serve(io.StringIO("".join(json.dumps(request) + "\n" for request in requests)), answers)
    return [json.loads(line) for line in answers.getvalue().splitlines()]


def _child(requests, action):
    """Exit code of a forked process that serves requests from a pipe; action gets the pipe's other end."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.close(writing)
            serve(os.fdopen(reading), open(os.devnull, "w"))
        finally:
            os._exit(7)
    os.close(reading)
    os.write(writing, requests)
    action()
    os.close(writing)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_no_more_requests_end_the_process(forked_workers):
    assert _child(b"", lambda: None) == 7


def test_config_that_cannot_be_used_is_answered(forked_workers, tmp_path):
    root = bundle_folder("fsdiffreg_cardiac")
    overrides = {"dataset_dir": str(tmp_path / "nothing"), "output_dir": str(tmp_path / "run"), "bundle_root": root}

    def check():
        answers = io.StringIO()
        request = {"files": [f"{root}/configs/inference.json"], "overrides": overrides}
        serve(io.StringIO(json.dumps(request) + "\n"), answers)
        return json.loads(answers.getvalue())

    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = check()
    assert answer["error"] == "InputFileError"
    assert answer["parts"][0] == "the dataset folder does not exist"
    assert any("monai_cortex/data" in line for line in answer["where"])
