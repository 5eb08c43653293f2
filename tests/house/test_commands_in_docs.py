"""Every command line that a document prints is one that the program takes."""

import ast
import configparser
import inspect
import json
import re
import shlex
import warnings
from functools import cache
from pathlib import Path
from pydoc import locate

import click
import pytest

ROOT = Path(__file__).resolve().parents[2]
SWITCH = re.compile(r"(?<![\w-])--([A-Za-z_][\w#:-]*)")
INLINE = re.compile(r"`([^`\n]+)`")
BUNDLES = sorted(path.parents[1] for path in ROOT.glob("bundles/*/configs/metadata.json"))
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("README.md", "CONTRIBUTING.md", "docs/**/*.md", "bundles/*/docs/*.md")
    for path in ROOT.glob(pattern)
)
# Switches of MONAI's client itself.
CLIENT = {"config_file", "meta_file", "args_file", "logging_file", "tracking", "run_id", "init_id", "final_id"}
# Programs of others that a plain block may call; a block marked `sh` may call any.
OTHERS = {"cp", "mlflow", "python3", ".", "cd", "srun", "sbatch"}
EXAMPLE = "my_denoising"  # the plugin that docs/plugins.md writes
MODULES = ("python -m pytest ", "python -m monai.bundle download ")
TORCHRUN = re.compile(r"torchrun (--\w+(=\S+)? )*-m monai\.bundle run ")
# Switches of other programs that a text names.
FOREIGN = {"to-scanner", "nproc_per_node", "check", "whole", "no-deps", "no-index", "no-build-isolation"}
FOREIGN |= {"bundle_dir", "repo"}


def options(words):
    """Switches of a command line with their values, as the client reads them; true where there is none."""
    found = {}
    for word, following in zip(words, [*words[1:], "--"], strict=True):
        if word.startswith("--"):
            name, equals, value = word.removeprefix("--").partition("=")
            found[name] = value if equals else True if following.startswith("--") else following
    return found


@cache
def merged(files):
    from monai.bundle import ConfigParser

    parser = ConfigParser()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the client says of a list that only one of the files has
        parser.read_config([str(file) for file in files])
    return parser.get()


def unknown_ids(config, names):
    """Ids that the config does not have and that no component of it takes as an argument."""
    missing = []
    for name in names:
        *above, last = re.split("#|::", name)
        place = config
        for part in above:
            place = place.get(part, {}) if isinstance(place, dict) else {}
        if not isinstance(place, dict) or not (last in place or (above and last in arguments(place.get("_target_")))):
            missing.append(name)
    return missing


@cache
def arguments(target):
    component = locate(target) if target else None
    return set(inspect.signature(component).parameters) if component else set()


def check_bundle_run(words, home):
    """Config files exist, and every switch is an id of the merged config."""
    given = options(words)
    files = given["config_file"]
    files = ast.literal_eval(files) if files.startswith("[") else [files]
    if files[0].startswith(f"{EXAMPLE}/"):
        return
    # A bundle that was fetched into zoo/ is one of ours.
    paths = tuple(home / file.replace("zoo/", "bundles/") for file in files)
    assert [path for path in paths if not path.is_file()] == []
    assert unknown_ids(merged(paths), given.keys() - CLIENT) == []


def check_click(command, words, name="monai_cortex"):
    """Options exist, values are of their kind, and no needed one is missing; files need not exist."""
    context = click.Context(command, info_name=name)
    values, rest, _ = command.make_parser(context).parse_args(list(words))
    for parameter in command.params:
        value = values.get(parameter.name)
        empty = value is None or value == () or "UNSET" in repr(value)
        assert not (parameter.required and empty), f"{name}: {parameter.name} is missing"
        if not empty and not isinstance(parameter.type, click.Path):
            parameter.type_cast_value(context, value)
        if parameter.name == "slug" and not empty:
            assert value in {EXAMPLE, *(bundle.name for bundle in BUNDLES)}
    if isinstance(command, click.Group):
        assert rest[0] in command.commands, f"{name} has no command {rest[0]}"
        return check_click(command.commands[rest[0]], rest[1:], f"{name} {rest[0]}")
    assert not rest, f"{name}: {rest} is too much"
    return None


def check_tool(words):
    """The script exists, and its switches are written somewhere in the tools."""
    script = ROOT / words[0]
    assert script.is_file() or (script / "__main__.py").is_file(), words[0]
    source = "\n".join(path.read_text() for path in (ROOT / "tools").rglob("*.py"))
    assert [name for name in options(words) if f'"--{name}"' not in source] == []


def check_pip(words):
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    extras = [extra for word in words for group in re.findall(r"\[(.+)\]", word) for extra in group.split(",")]
    assert [extra for extra in extras if extra not in settings["options.extras_require"]] == []


def check_make(words):
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert [word for word in words if word not in targets and "=" not in word] == []


def check(words, home, anything=False):
    """Raise for a command line that would not be taken."""
    from monai_cortex.__main__ import main

    words = words[next(number for number, word in enumerate(words) if not re.match(r"\w+=", word)) :]
    line = " ".join(words) + " "
    if line.startswith("python -m monai_cortex "):
        check_click(main, words[3:])
    elif line.startswith("python -m monai.bundle run ") or TORCHRUN.match(line):
        check_bundle_run(words[words.index("run") + 1 :], home)
    elif words[0] == "python" and words[1].startswith("tools/"):
        check_tool(words[1:])
    elif words[0] == "pip" or words[:3] == ["python", "-m", "pip"]:
        check_pip(words)
    elif words[0] == "make":
        check_make(words[1:])
    else:
        assert anything or words[0] in OTHERS or line.startswith(MODULES), f"not known: {line}"


def home_of(name):
    """Folder in which the commands of a document run: the bundle's for those of its own page."""
    return ROOT / Path(name).parents[1] if name.startswith("bundles/") else ROOT


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_are_taken(name, printed_commands):
    for anything, command in printed_commands((ROOT / name).read_text()):
        words = shlex.split(command.replace("\\\n", " "), comments=True)
        try:
            check(words, home_of(name), anything)
        except Exception as error:
            raise AssertionError(f"{name}: {' '.join(words)}: {error}") from error


def ids(bundles):
    """All ids of all configs of some bundles."""
    paths = [path for bundle in bundles for path in (bundle / "configs").glob("*.json")]
    return {name.lstrip("+") for path in paths for name in json.loads(path.read_text())}


def click_options(command):
    found = {
        option.lstrip("-") for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    inner = command.commands.values() if isinstance(command, click.Group) else ()
    return found.union(*map(click_options, inner))


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if not name.startswith("docs/evidence/")])
def test_switches_that_a_text_names_exist(name):
    from monai_cortex.__main__ import main

    own = [bundle for bundle in BUNDLES if f"bundles/{bundle.name}/" in name] or BUNDLES
    known = ids(own) | click_options(main) | CLIENT | FOREIGN
    text = re.sub(r"^```.*?^```", "", (ROOT / name).read_text(), flags=re.MULTILINE | re.DOTALL)
    named = {switch for code in INLINE.findall(text) if "tools/" not in code for switch in SWITCH.findall(code)}
    assert {switch for switch in named if re.split("#|::", switch)[0] not in known} == set()


@pytest.mark.parametrize(
    "line",
    [
        "python -m monai_cortex listing",
        "python -m monai_cortex check",
        "python -m monai_cortex check shd_deconvolutions DIR",
        "python -m monai_cortex check shd_deconvolution DIR --strict",
        "python -m monai_cortex demo --steps many",
        "python -m monai_cortex simulate shd_deconvolution DIR --scanner C",
        "python -m monai_cortex shapes fit DIR",
        "python -m monai.bundle run --config_file bundles/shd_deconvolution/configs/gone.json",
        "python -m monai.bundle run --config_file bundles/shd_deconvolution/configs/inference.json --epcohs 3",
        "python -m monai.bundle run --config_file bundles/shd_deconvolution/configs/fit.json --network_def#wide 3",
        "python tools/gone.py",
        "python tools/benchmark.py shd_deconvolution --quickly",
        "pip install .[everything]",
        "make coffee",
        "monai_cortex list",
    ],
)
def test_wrong_commands_are_found(line):
    with pytest.raises((AssertionError, click.ClickException)):
        check(shlex.split(line), ROOT)


def test_commands_of_a_text_are_found(printed_commands):
    block = "make demo  # shows\npython -m monai_cortex check \\\n  shd_deconvolution DIR\nmake 'a\nb'\n"
    text = f"```ini\nx'y\n```\n```\nfolder's\n```\n```\n{block}```\n```\n$ make docs\nit's made\n```\n"
    assert [command for _, command in printed_commands(text)] == [
        "make demo  # shows",
        "python -m monai_cortex check \\\n  shd_deconvolution DIR",
        "make 'a\nb'",
        "make docs",
    ]


def test_right_commands_pass():
    inference = "bundles/shd_deconvolution/configs/inference.json"
    check(
        shlex.split(f"python -m monai.bundle run --config_file {inference} --network_def#network#spatial_pooling True"),
        ROOT,
    )
    check(shlex.split(f"torchrun --nproc_per_node=2 -m monai.bundle run --config_file {inference} --lmax=6"), ROOT)
