"""The command line of the zoo, from packing to fetching."""

import pytest
from click.testing import CliRunner

from monai_cortex.__main__ import main

NAME = "tiny_image_segmentation"


@pytest.fixture
def call():
    return lambda *words: CliRunner().invoke(main, ["zoo", *(str(word) for word in words)])


def test_from_packing_to_fetching(call, write_bundle, tmp_path, tree):
    bundle, out, dest = write_bundle(tmp_path / "made"), tmp_path / "out", tmp_path / "dest"
    answers = [
        call("seal", bundle),
        call("pack", bundle, out),
        call("index", out),
        call("fetch", NAME, "--from", out, dest),
        call("verify", "--static", "--list", dest / NAME),
    ]
    assert [answer.exit_code for answer in answers] == [0] * 5, [answer.output for answer in answers]
    assert "sha256" in answers[1].output
    assert "inferer::_target_: monai.inferers.SimpleInferer" in answers[4].output
    assert tree(dest / NAME) == tree(bundle)


def test_refusal_is_a_usage_error(call, tmp_path):
    for words in (("verify", tmp_path / "nothing"), ("fetch", NAME, tmp_path, "--from", tmp_path / "nothing")):
        answer = call(*words)
        assert answer.exit_code == 2
        assert answer.stderr.startswith("BundleError: ")


def test_url_is_another_word_for_from(call, tmp_path):
    assert "no index of bundles" in call("fetch", NAME, tmp_path, "--url", tmp_path).stderr
