import numpy as np

from monai_cortex.handlers.peak_memory import PeakMemory, process_bytes

MB = 10**6


def test_peak_is_that_of_the_piece_of_work():
    large = np.ones(200 * MB, np.uint8)
    del large
    quiet = PeakMemory()
    before = quiet.megabytes()["peak_memory_mb"]
    work = PeakMemory()
    large = np.ones(100 * MB, np.uint8)
    assert 90 < work.megabytes()["peak_memory_mb"] - before < 150
    del large


def test_all_addresses_are_more_than_the_resident_ones():
    assert process_bytes("VmSize") > process_bytes("VmHWM") > 10 * MB
    assert process_bytes("no such entry") == 0
