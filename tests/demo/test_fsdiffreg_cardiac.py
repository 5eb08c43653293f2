import re


def test_whole_demonstration_aligns_the_heart(whole, show, tmp_path):
    code, text = show(tmp_path, fsdiffreg_cardiac=())
    assert code == 0
    before, network, after = map(float, re.search(r"^Dice, mean of five +(\S+) +(\S+) +(\S+)$", text, re.M).groups())
    assert before + 0.2 < network < after
    assert re.search(r"^distance from the true motion \[mm\] +[\d.]+ +[\d.]+ +[\d.]+$", text, re.MULTILINE)
