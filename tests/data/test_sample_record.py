import hashlib
import json

from monai_cortex.data.sample_record import write_sample_record


def test_record_has_the_digest_of_each_file_below_and_not_its_own(tmp_path):
    (tmp_path / "surf").mkdir()
    (tmp_path / "surf" / "lh.white").write_bytes(b"white")
    (tmp_path / "a.txt").write_bytes(b"")
    for _ in range(2):
        write_sample_record(tmp_path, {"name": "x", "license": "y"})
    record = json.loads((tmp_path / "SOURCE.json").read_text())
    digests = {name: hashlib.sha256(text).hexdigest() for name, text in (("a.txt", b""), ("surf/lh.white", b"white"))}
    assert record == {"name": "x", "license": "y", "sha256": digests}
