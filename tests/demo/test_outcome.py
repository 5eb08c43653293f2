from monai_cortex.demo import Finding
from monai_cortex.demo.outcome import Outcome, outcome_table
from monai_cortex.errors import CortexError


def test_each_method_has_its_line_whether_it_failed_or_not():
    good = Outcome("one", 12.4, Finding("overlap", "0.90", "0.63 (before)"))
    bad = Outcome("two", 1.0, error=CortexError("lost"))
    table = outcome_table([good, bad])
    assert table.headings == ["method", "quantity", "result", "beside", "time [s]", "status"]
    assert table.rows == [
        ["one", "overlap", "0.90", "0.63 (before)", 12, "done"],
        ["two", "-", "", "", 1, "failed"],
    ]
