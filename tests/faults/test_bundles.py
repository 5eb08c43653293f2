"""Bundles and configs that are damaged or hostile: refused by name, and nothing in them is executed."""

import io
import json
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from monai_cortex.__main__ import main
from monai_cortex.data import read_config, sha256
from monai_cortex.errors import BundleError, ConfigError
from monai_cortex.zoo import fetch_bundle, pack_bundle, verify_bundle, write_index

NAME = "tiny_image_segmentation"


@pytest.fixture
def canary(tmp_path):
    path = tmp_path / "canary"
    yield path
    assert not path.exists(), "something was executed"


def static(bundle, *words):
    answer = CliRunner().invoke(main, ["zoo", "verify", "--static", str(bundle), *words])
    assert "Traceback" not in answer.output
    return answer


def refused(bundle, *texts):
    """The command refuses the bundle, and says all texts in messages of at most five lines."""
    answer = static(bundle)
    assert answer.exit_code == 2, answer.output
    for block in answer.stderr.strip().split("\n\n"):
        assert len(block.splitlines()) <= 5, block
    for text in texts:
        assert text in answer.stderr, answer.stderr
    return answer.stderr


# --- what a config would execute


def test_good_bundle_passes(write_bundle, tmp_path):
    answer = static(write_bundle(tmp_path))
    assert answer.exit_code == 0, answer.output


@pytest.mark.parametrize(
    "part",
    [
        {"_target_": "os.system", "command": "touch {}"},
        {"_target_": "subprocess.run", "args": ["touch", "{}"]},
        {"_target_": "torch.os.system", "command": "touch {}"},
        {"_target_": "monai.utils.misc.run_cmd", "cmd_list": ["touch", "{}"]},
        {"_target_": "torch.load", "f": "{}"},
        {"_target_": "torch.hub.load", "repo_or_dir": "{}"},
        {"_target_": "torch.utils.cpp_extension.load", "name": "x", "sources": "{}"},
        {"_target_": "monai.bundle.download", "name": "x"},
        {"_target_": "monai.data.LMDBDataset"},
        {"_target_": "monai.losses.PerceptualLoss"},
        {"_target_": "monai_cortex.data.write_json", "path": "canary"},
        {"_target_": "monai_cortex.inferers.track_file"},
        {"_target_": "monai_cortex.plugins.get"},
        {"_target_": "monai_cortex.plugins.networks.not_installed"},
        {"_target_": "monai.transforms.LoadImage", "reader": "subprocess.check_output", "args": ["touch", "{}"]},
        {"_target_": "monai.transforms.LoadImage", "reader": "@network"},
        {"_target_": "monai.transforms.SaveImage", "writer": "os.system"},
        {"_target_": "monai.transforms.LoadImage", "_mode_": "callable"},
        {"_target_": "monai.transforms.LoadImage", "reader": "NumpyReader", "allow_pickle": True},
        {"_target_": "monai.inferers.PatchInferer", "merger_cls": "subprocess.run"},
        {"_target_": "monai.networks.nets.DenseNet121", "pretrained": True},
        {"_target_": "torch.nn.ReLU", "_debug_": True},
        {"_target_": "torch.nn.ReLU", "_mode_": "debug"},
        {"_target_": "@run"},
        {"_target_": "$__import__('os').system", "command": "touch {}"},
        {"_target_": "monai.data.utils"},
    ],
    ids=lambda part: " ".join(map(str, part.values()))[:60],
)
def test_target_that_starts_processes_or_touches_files(write_bundle, tmp_path, canary, part):
    text = json.loads(json.dumps(part).replace("{}", str(canary)))
    refused(write_bundle(tmp_path, part=text), "allow-list", "nothing was executed", "--trust", "part")


@pytest.mark.parametrize("key", ["network_def#_target_", "network_def::_target_"])
def test_target_in_a_key_with_a_path(write_bundle, tmp_path, canary, key):
    refused(write_bundle(tmp_path, "evaluate", **{key: "os.system"}), "target 'os.system'")


@pytest.mark.parametrize(
    "expression",
    [
        "$__import__('os').system('touch {}')",
        "$os.system('touch {}')",
        "$@imports::0.system('touch {}')",
        "$@imports[0].remove('{}')",
        "%imports",
        "%",
        '$\'@device {__import__("os").system("touch {}")}\'',
        '$\'@f {__import__("os").system("touch {}")}\'',
        "$open('{}', 'w')",
        "$eval('1')",
        "$getattr(torch, 'os')",
        "$torch.os.system('touch {}')",
        "$monai.utils.module.os.remove('x')",
        "$np.load('x', allow_pickle=True)",
        "$torch.load('x', weights_only=False)",
        "$torch.utils.benchmark.Timer('1')",
        "$monai.transforms.LoadImage(reader='subprocess.run')",
        "$@network.__class__.__init__.__globals__",
        "$f'{@network.__class__}'",
        "$'{0.__class__}'.format(@network)",
        "$[torch][0].os",
        "$(lambda os: os)(1)",
        "$@network.numpy().tofile('x')",
        "$list(map(@network.dump, ['x']))",
        "$import subprocess",
        "$from os import system",
        "$9 ** 9 ** 9",
        "$[0] * 999999999",
        "$'ht' + 'tp://example.org'",
    ],
)
def test_expression_that_imports_or_calls_the_system(write_bundle, tmp_path, canary, expression):
    bundle = write_bundle(tmp_path, f=1, part=expression.replace("{}", str(canary)))
    refused(bundle, "allow-list", "nothing was executed", "--trust")


def test_quoted_reference_would_run_under_the_stock_parser(tmp_path):
    """The attack above is real: quotes around a reference turn text into code. Here it only adds one and one."""
    from monai.bundle import ConfigParser

    found = ConfigParser({"f": 1, "x": "$'@f {1 + 1}'"}).get_parsed_content("x")
    assert found.endswith("] 2")


def test_expression_in_the_metadata(write_bundle, tmp_path, canary):
    bundle = write_bundle(tmp_path, "metadata", description=f"$__import__('os').system('touch {canary}')")
    refused(bundle, "configs/metadata.json", "allow-list")


@pytest.mark.parametrize("place", ["/etc/passwd", "../x", "~/.ssh/config", "https://example.org/x", "a/../../b"])
def test_place_outside_the_bundle(write_bundle, tmp_path, place):
    refused(write_bundle(tmp_path, part={"_target_": "torch.nn.ReLU", "output_dir": place}), f"place {place!r}")


@pytest.mark.parametrize("name", ["numpy.py", "scripts/__init__.py", "torch.so", "models/x.pkl", "docs/run.sh"])
def test_code_beside_the_configs(write_bundle, tmp_path, name):
    bundle = write_bundle(tmp_path)
    (bundle / name).parent.mkdir(exist_ok=True)
    (bundle / name).write_text("")
    refused(bundle, name)


def test_trust_by_digest(write_bundle, tmp_path, canary):
    bundle = write_bundle(tmp_path, part={"_target_": "os.getcwd"})
    digest = verify_bundle(bundle, run=False).digest
    assert static(bundle, "--trust", digest).exit_code == 0
    assert static(bundle, "--trust", "0" * 64).exit_code == 2
    (bundle / "docs" / "README.md").write_text("changed\n")
    assert static(bundle, "--trust", digest).exit_code == 2


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ("class = FileHandler\nargs = ('{}', 'w')", "class = FileHandler"),
        ("class = logging.handlers.RotatingFileHandler\nargs = ('{}',)", "RotatingFileHandler"),
        ("class = %(kind)s\nargs = ('{}', 'w')", "class = %(kind)s"),
        ("class = StreamHandler\nargs = (open('{}', 'w'),)", "args = "),
        ("class = StreamHandler\nkwargs = {'stream': open('{}', 'w')}", "kwargs = "),
        ("class = handlers.SocketHandler\nargs = ('localhost', 9)", "SocketHandler"),
    ],
)
def test_logging_conf_with_file_handlers(write_bundle, tmp_path, settings, named):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    bundle = write_bundle(tmp_path)
    text = "[DEFAULT]\nkind = FileHandler\n[loggers]\nkeys = root\n[handlers]\nkeys = out\n[handler_out]\n"
    (bundle / "configs" / "logging.conf").write_text(text + settings.replace("{}", str(victim)))
    refused(bundle, "logging.conf", named)
    assert victim.read_text() == "precious"


# --- configs that are wrong


@pytest.mark.parametrize(
    ("name", "raw", "texts"),
    [
        ("a.json", b'{"a": 1,\n "b": 2,\n "a": 3}', ("a key appears twice", "line 3", "'a'")),
        ("a.yaml", b"a: 1\nb: 2\na: 3\n", ("a key appears twice", "line 3")),
        ("a.json", b"[1]", ("no mapping", "line 1", "list")),
        ("a.json", b"1", ("no mapping", "int")),
        ("a.json", b"", ("not JSON", "line 1")),
        ("a.yaml", b"", ("no mapping", "nothing")),
        ("a.yaml", b"- 1\n", ("no mapping", "list")),
        ("a.json", b'{"a": 1}\n}', ("not JSON", "line 2", "Extra data")),
        ("a.yaml", b"a: 1\n---\nb: 2\n", ("not YAML", "line 2")),
        ("a.json", b'{\n"a": "\xff"}', ("not UTF-8", "line 2", "0xff")),
        ("a.json", '{"a": 1}'.encode("utf-16"), ("not UTF-8", "line 1")),
        ("a.json", b'\xef\xbb\xbf{"a": 1}', ("byte-order mark",)),
        ("a.json", b'{\n"a": NaN}', ("not finite", "line 2", "NaN")),
        ("a.json", b'{"a": 1e999}', ("not finite", "1e999")),
        ("a.yaml", b"a: .nan\n", ("not finite", "line 1")),
        ("a.yaml", b"a: 1\nb: 1e-4\n", ("number written as text", "line 2", "1e-4")),
        ("a.yaml", b"a: 12:30:00\n", ("a time", "12:30:00")),
        ("a.yaml", b"a: 010\n", ("leading zeros",)),
        ("a.yaml", b"a: no\n", ("true or false",)),
        ("a.yaml", b"a: !!python/object/apply:os.system ['touch x']\n", ("asks for an object", "line 1")),
        ("a.yaml", b"a: !!python/name:os.system\n", ("asks for an object",)),
        ("a.yaml", b"a: &x [*x]\n", ("repeats what it is part of", "*x")),
    ],
    ids=lambda value: None if isinstance(value, tuple) else repr(value)[:40],
)
def test_config_file_that_cannot_be_read(tmp_path, name, raw, texts):
    path = tmp_path / name
    path.write_bytes(raw)
    with pytest.raises(ConfigError) as error:
        read_config(path)
    for text in (str(path), *texts):
        assert text in str(error.value)
    assert len(str(error.value).splitlines()) <= 5


def test_alias_may_repeat_a_little(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: &x [1, 2]\nb: *x\n")
    assert read_config(path) == {"a": [1, 2], "b": [1, 2]}


def test_bombs_take_neither_time_nor_memory(limited, tmp_path):
    """Alias bomb, self-alias, and very deep nesting, each in less than 5 s and 500 MB more than the process had."""
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 12))
    bombs = {
        "aliases.yaml": "l0: &l0 [x, x]\n" + levels,
        "self.yaml": "a: &a {b: *a}\n",
        "deep.yaml": "a: " + "[" * 200_000,
        "deep_blocks.yaml": "".join(f"{' ' * n}a:\n" for n in range(900)),
        "deep.json": '{"a": ' + "[" * 200_000,
        "closed.json": '{"a": ' + "[" * 400 + "]" * 400 + "}",
        "large.json": '{"a": "' + "x" * (2 << 20) + '"}',
        "long.yaml": "a: [" + "1, " * 300_000 + "1]\n",
    }
    for name, text in bombs.items():
        (tmp_path / name).write_text(text)
    words = f"""
import json, resource, time
from pathlib import Path
from monai_cortex.data import read_config
from monai_cortex.errors import ConfigError
for name in {list(bombs)}:
    start, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        read_config(Path({str(tmp_path)!r}) / name)
    except ConfigError as error:
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(json.dumps([name, time.process_time() - start, grown / 1024, str(error)]))
"""
    outcome = limited(words, seconds=120)
    rows = [json.loads(line) for line in outcome.out.splitlines()]
    assert [row[0] for row in rows] == list(bombs), outcome.err
    assert max(row[1] for row in rows) < 5
    assert max(row[2] for row in rows) < 500


@pytest.mark.parametrize(
    ("change", "texts"),
    [
        ({"part": "@output_dri"}, ("reference @output_dri", "output_dir")),
        ({"part": "@part"}, ("in a circle", "part -> part")),
        ({"a": "@b", "b": "$@a + 1"}, ("in a circle: a -> b -> a",)),
        ({"a": {"x": "@a"}}, ("in a circle",)),
        ({"a": "%a"}, ("in a circle",)),
        ({"learning_rate": "1e-4"}, ("number written as text, '1e-4'", "learning_rate")),
    ],
    ids=str,
)
def test_config_with_wrong_references_or_numbers(write_bundle, tmp_path, change, texts):
    refused(write_bundle(tmp_path, **change), "ConfigError", "inference.json", *texts)


def test_override_of_an_unknown_key(write_bundle, tmp_path):
    bundle = write_bundle(tmp_path)
    answer = static(bundle, "--override", "devise=cpu")
    assert answer.exit_code == 2
    assert "did you mean device?" in answer.stderr
    assert static(bundle, "--override", "device=cpu").exit_code == 0


@pytest.mark.parametrize(
    ("part", "texts"),
    [
        ({"_target_": "torch.nn.Conv3dd"}, ("part::_target_ = torch.nn.Conv3dd", "torch.nn.Conv3d")),
        ({"_target_": "monai.transforms.Composed", "x": 1}, ("names nothing", "monai.transforms.Compose")),
        ({"_target_": "torch.nn.Conv3d", "in_chanels": 1}, ("unexpected keyword argument 'in_chanels'", "in_channels")),
    ],
    ids=str,
)
def test_component_that_does_not_exist_or_fit(write_bundle, tmp_path, part, texts):
    from monai_cortex.zoo.trial import try_bundle

    (problem,) = try_bundle(write_bundle(tmp_path, part=part))
    assert isinstance(problem, ConfigError)
    for text in ("inference.json", *texts):
        assert text in str(problem)


def test_wrong_type_for_a_component_shows_the_cause(write_bundle, tmp_path):
    from monai_cortex.zoo.trial import try_bundle

    bundle = write_bundle(
        tmp_path, network_def={"_target_": "torch.nn.Conv3d", "in_channels": 1, "out_channels": "x", "kernel_size": 1}
    )
    (problem,) = try_bundle(bundle)
    assert "TypeError" in str(problem)


# --- archives


def archive(path, members):
    with zipfile.ZipFile(path, "w") as packed:
        for name, data in members:
            packed.writestr(name, data)
    return path


def link(name, target):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info, target


def deflated(name, size):
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info, bytes(size)


GOOD = [(f"{NAME}/configs/metadata.json", '{"version": "1.0.0"}')]
ARCHIVES = {
    "member that leaves the folder": [*GOOD, (f"{NAME}/../../canary", "x")],
    "member above the root": [*GOOD, ("../canary", "x")],
    "absolute member": [*GOOD, ("/canary", "x")],
    "drive letter": [*GOOD, ("C:/canary", "x")],
    "backslashes": [*GOOD, (f"{NAME}\\..\\canary", "x")],
    "no root folder": [("configs/metadata.json", "{}")],
    "two root folders": [*GOOD, ("other/x", "x")],
    "root is a file": [(NAME, "x")],
    "link": [*GOOD, link(f"{NAME}/link", "/etc/passwd")],
    "link with children": [*GOOD, link(f"{NAME}/link", ".."), (f"{NAME}/link/canary", "x")],
    "name twice": [*GOOD, *GOOD],
    "name twice but for case": [*GOOD, (f"{NAME}/A", "1"), (f"{NAME}/a", "2")],
    "name twice but for unicode": [*GOOD, (f"{NAME}/\u00e9", "1"), (f"{NAME}/e\u0301", "2")],
    "file with children": [*GOOD, (f"{NAME}/a", "1"), (f"{NAME}/a/b", "2")],
    "bomb by ratio": [*GOOD, deflated(f"{NAME}/x", 40 << 20)],
    "bomb by size": [*GOOD, *(deflated(f"{NAME}/{n}", 1 << 20) for n in range(60))],
    "bomb by entries": [*GOOD, *((f"{NAME}/{n}", "") for n in range(2500))],
    "no file": [(f"{NAME}/", "")],
    "no bundle": [(f"{NAME}/x", "x")],
}


@pytest.fixture
def unpacked_aside(tmp_path, monkeypatch):
    """Where temporary files go; nothing may stay there."""
    folder = tmp_path / "aside"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("case", list(ARCHIVES))
def test_hostile_archive(tmp_path, canary, unpacked_aside, tree, case):
    path = archive(tmp_path / f"{NAME}_v1.0.0.zip", ARCHIVES[case])
    dest = tmp_path / "dest"
    dest.mkdir()
    (dest / "other").write_text("stays")
    before = tree(tmp_path)
    with pytest.raises(BundleError) as error:
        fetch_bundle(NAME, str(path), dest, digest=sha256(path))
    assert len(str(error.value).splitlines()) <= 5
    assert tree(tmp_path) == before


def tar_with(kind):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        info = tarfile.TarInfo(f"{NAME}/x")
        info.type, info.linkname = kind, "/etc/passwd"
        packed.addfile(info)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "raw",
    [
        tar_with(tarfile.SYMTYPE),
        tar_with(tarfile.LNKTYPE),
        tar_with(tarfile.CHRTYPE),
        b"<!DOCTYPE html><html></html>",
        b"",
        b"PK\x05\x06" + bytes(18),
    ],
    ids=["tar with a link", "tar with a hard link", "tar with a device", "web page", "empty", "zip without members"],
)
def test_archive_of_another_kind(tmp_path, unpacked_aside, raw):
    path = tmp_path / f"{NAME}_v1.0.0.zip"
    path.write_bytes(raw)
    with pytest.raises(BundleError):
        fetch_bundle(NAME, str(path), tmp_path / "deep" / "dest", digest=sha256(path))
    assert not (tmp_path / "deep").exists()


@pytest.fixture
def published(write_bundle, tmp_path):
    """A folder with the archive of a good bundle and its index."""
    folder = tmp_path / "published"
    pack_bundle(write_bundle(tmp_path / "made"), folder)
    write_index(folder)
    return folder


def test_one_flipped_bit_anywhere(published, tmp_path, unpacked_aside, rounds):
    import random

    path, draw = published / f"{NAME}_v1.0.0.zip", random.Random(0)
    good = path.read_bytes()
    for _ in range(rounds(20, 300)):
        bad = bytearray(good)
        bad[draw.randrange(len(bad))] ^= 1 << draw.randrange(8)
        path.write_bytes(bad)
        with pytest.raises(BundleError, match="thrown away"):
            fetch_bundle(NAME, str(published), tmp_path / "dest")
    assert not (tmp_path / "dest").exists()
    path.write_bytes(good)
    assert fetch_bundle(NAME, str(published), tmp_path / "dest").is_dir()


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-100]), "thrown away"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "larger than it should be"),
        (lambda path: path.write_text("<!DOCTYPE html>"), "a web page"),
        (lambda path: archive(path, GOOD), "thrown away"),
        (lambda path: path.unlink(), "HTTP 404"),
    ],
    ids=["cut", "longer", "web page", "swapped", "not there"],
)
def test_wrong_download_and_a_retry(published, serve, tmp_path, unpacked_aside, damage, text):
    path, dest = published / f"{NAME}_v1.0.0.zip", tmp_path / "dest"
    good = path.read_bytes()
    with serve(published) as address:
        damage(path)
        with pytest.raises(BundleError, match=text):
            fetch_bundle(NAME, address, dest)
        assert not dest.exists()
        path.write_bytes(good)
        assert (fetch_bundle(NAME, address, dest) / "configs" / "metadata.json").is_file()


def test_wrong_sha256_is_given(published, tmp_path, unpacked_aside):
    for place in (published, published / f"{NAME}_v1.0.0.zip"):
        with pytest.raises(BundleError, match="thrown away"):
            fetch_bundle(NAME, str(place), tmp_path / "dest", digest="0" * 64)
    assert not (tmp_path / "dest").exists()


def test_server_that_is_gone(tmp_path, unpacked_aside):
    with pytest.raises(BundleError, match="could not be downloaded|no index"):
        fetch_bundle(NAME, "http://127.0.0.1:9", tmp_path / "dest")


def test_another_version_is_never_overwritten(published, write_bundle, tmp_path, tree):
    dest = tmp_path / "dest"
    fetch_bundle(NAME, str(published), dest)
    pack_bundle(write_bundle(tmp_path / "made", version="1.1.0"), published)
    write_index(published)
    before = tree(dest)
    with pytest.raises(BundleError, match="another version"):
        fetch_bundle(NAME, str(published), dest)
    assert tree(dest) == before
    assert fetch_bundle(NAME, str(published), dest, version="1.0.0") == dest / NAME
    (dest / NAME / "LICENSE").write_text("mine")
    with pytest.raises(BundleError, match="changed copy"):
        fetch_bundle(NAME, str(published), dest, version="1.0.0")
    assert (dest / NAME / "LICENSE").read_text() == "mine"


# --- weights


def test_weights_that_are_not_those_recorded(write_bundle, tmp_path):
    bundle = write_bundle(tmp_path)
    weights = bundle / "models" / "model.pt"
    raw = bytearray(weights.read_bytes())
    raw[len(raw) // 2] ^= 1
    weights.write_bytes(raw)
    refused(bundle, "not those that were recorded", "model.pt", sha256(weights))
    with pytest.raises(BundleError, match="not those that were recorded"):
        pack_bundle(bundle, tmp_path / "packed")


def test_weights_that_nothing_speaks_of(write_bundle, tmp_path):
    bundle = write_bundle(tmp_path)
    (bundle / "models" / "model.pt.json").unlink()
    refused(bundle, "nothing is recorded of the weights")


def test_link_in_a_bundle(write_bundle, tmp_path):
    bundle = write_bundle(tmp_path)
    (bundle / "docs" / "x.md").symlink_to("/etc/hostname")
    refused(bundle, "a link, a pipe or a device")


# --- plugins: in tests/plugins; here that a broken one harms no other


def test_broken_plugin_harms_no_other(tmp_path, limited):
    info = tmp_path / "site" / "broken-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    rows = "bad = broken_plugin:thing\nconditional_unet = broken_plugin:other\n"
    (info / "entry_points.txt").write_text(f"[monai_cortex.networks]\n{rows}")
    (tmp_path / "site" / "broken_plugin.py").write_text("raise RuntimeError('no')\n")
    words = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})"
        + """
from monai_cortex import plugins
try:
    plugins.get("networks", "bad")
except plugins.PluginError as error:
    print(error.args[3])
print([bool(plugin.reason) for plugin in plugins.available("networks") if plugin.name == "conditional_unet"])
print(plugins.get("methods", "shd_deconvolution").name)
"""
    )
    outcome = limited(words, seconds=120)
    assert outcome.out.splitlines() == ["RuntimeError: no", "[True, True]", "shd_deconvolution"], outcome.err


def test_path_of_an_archive_may_be_relative(published, tmp_path, monkeypatch):
    monkeypatch.chdir(published)
    assert fetch_bundle(NAME, f"{NAME}_v1.0.0.zip", tmp_path / "dest").is_dir()
    assert Path(tmp_path / "dest" / NAME / "LICENSE").is_file()
