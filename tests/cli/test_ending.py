"""Every command ends in one line and a documented exit code, whatever the machine does."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click import Context
from PIL import Image

from bnncore.cli import cli, ending, main
from bnncore.formats.npz import WEIGHTS, write_npz
from bnncore.interrupts import EXIT_INTERRUPTED
from bnncore.publishing.random_network import random_network

posix = pytest.mark.skipif(os.name != "posix", reason="signals and devices of POSIX")
DOCS = Path(__file__).parents[2] / "docs"

COMMANDS = cli.list_commands(Context(cli))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what commands work on: weights, a project, pictures, a QONNX file that is none."""
    from bnncore import Dense, Input, Topology
    from bnncore.cli.new_ import command as new

    folder = tmp_path_factory.mktemp("world")
    topology = Topology(name="shade", input=Input(height=4, width=4), layers=(Dense(outputs=2),))
    write_npz(folder / WEIGHTS, random_network(topology), ("dark", "light"))
    for label, shade in (("dark", 10), ("light", 250)):
        (folder / "photos" / label).mkdir(parents=True)
        for number in range(3):
            Image.new("L", (4, 4), shade + number).save(folder / "photos" / label / f"{number}.png")
    new.main(["pets", "--classes", "cat,dog", "--out", str(folder / "bnn-pets")], standalone_mode=False)
    (folder / "model.onnx").write_bytes(b"no graph")
    return folder


def started(arguments: list[str], folder: Path, **settings: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bnncore", *arguments]
    settings.setdefault("stdout", subprocess.PIPE)
    return subprocess.run(  # type: ignore[call-overload]
        command, cwd=folder, text=True, stderr=subprocess.PIPE, check=False, **settings
    )


# What each command prints something with, in the folder above.
PRINTING = {
    "list": [],
    "info": [WEIGHTS],
    "classify": [WEIGHTS, "photos/dark/0.png"],
    "explain": [WEIGHTS],
    "plugins": [],
    "new": ["mice", "--classes", "a,b", "--out", "bnn-mice-{}"],
    "pack": ["bnn-pets"],
    "train": ["--help"],
    "import": ["--help"],
    "evaluate": [WEIGHTS, "--data", "photos"],
    "convert": [WEIGHTS, "copy-{}.npz"],
    "data": [],
    "benchmark": [WEIGHTS, "--seconds", "0", "--batch", "1"],
    "check": ["bnn-cifar10"],
    "notebooks": ["notebooks-{}"],
    "doctor": [],
}

# With what each command writes something into a place that is given as ``{}``, and what is written there.
WRITING = {
    "new": ["mice", "--classes", "a,b", "--out", "{}"],
    "train": ["--images", "photos", "--out", "{}"],
    "import": ["model.onnx", "--out", "{}"],
    "evaluate": [WEIGHTS, "--data", "photos", "--out", "{}"],
    "convert": [WEIGHTS, "{}.npz"],
    "data": ["mnist", "--fetch"],
    "notebooks": ["{}"],
}


def test_every_command_is_tried() -> None:
    assert set(PRINTING) == set(COMMANDS)


@posix
@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_standard_output_is_one_line_and_code_1(command: str, world: Path) -> None:
    arguments = [command, *(each.format("full") for each in PRINTING[command])]
    with Path("/dev/full").open("w") as full:
        done = started(arguments, world, stdout=full)
    assert done.stderr.splitlines()[-1] == "bnncore: standard output: No space left on device"
    assert "Traceback" not in done.stderr
    assert done.returncode == ending.EXIT_ERROR


@posix
@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_that_goes_away_is_no_error(command: str, world: Path) -> None:
    arguments = [command, *(each.format("pipe") for each in PRINTING[command])]
    reading, writing = os.pipe()
    os.close(reading)
    done = started(arguments, world, stdout=writing)
    os.close(writing)
    assert "rror" not in done.stderr
    assert done.returncode == ending.EXIT_OK


@posix
@pytest.mark.slow
@pytest.mark.parametrize("command", WRITING)
def test_a_place_that_cannot_be_written_is_one_line_and_code_1(
    command: str, world: Path, tmp_path: Path
) -> None:
    """A file stands where a folder is needed: what rights and read-only disks do to others, it does to root, too."""
    (tmp_path / "file").write_text("in the way")
    place = str(tmp_path / "file" / "out")
    done = started(
        [command, *(each.format(place) for each in WRITING[command])],
        world,
        env={**os.environ, "BNNCORE_CACHE": place},
    )
    assert re.fullmatch(r"bnncore: .*Not a directory.*\n", done.stderr), done.stderr
    assert done.returncode == ending.EXIT_ERROR
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@posix
@pytest.mark.parametrize("closed", [1, 2])
def test_a_closed_stream_is_as_good_as_none(closed: int, world: Path) -> None:
    command = f"{sys.executable} -m bnncore classify {WEIGHTS} photos/dark/0.png {closed}>&-"
    done = subprocess.run(["sh", "-c", command], cwd=world, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@posix
def test_a_full_standard_error_costs_nothing_but_the_words(world: Path) -> None:
    command = f"{sys.executable} -m bnncore evaluate {WEIGHTS} --data photos 2>/dev/full"
    done = subprocess.run(["sh", "-c", command], cwd=world, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "% right" in done.stdout


@posix
def test_a_user_without_a_home_and_a_name_can_classify(world: Path) -> None:
    script = textwrap.dedent(
        """
        import os, pwd, sys
        os.environ.pop("HOME", None)
        def nobody(uid): raise KeyError(uid)
        pwd.getpwuid = nobody
        from bnncore.cli import main
        main(sys.argv[1:])
        """
    )
    for arguments, code in (
        (["classify", WEIGHTS, "photos/dark/0.png"], 0),
        (["explain", "cifar10"], 0),
        (["data", "mnist", "--fetch"], 1),
    ):
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("BNNCORE", "XDG"))
        }
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=world,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert done.stderr.startswith("bnncore: expected a home folder")
    assert "BNNCORE_CACHE" in done.stderr


# -- Ctrl-C and kill ---------------------------------------------------------------------------------

# A signal arrives while a module is imported, the later the higher the number.
_AT_AN_IMPORT = """
import os, signal, sys
at, number, sys.argv = int(sys.argv[1]), int(sys.argv[2]), ["bnncore", *sys.argv[3:]]
seen = 0
def hook(event, arguments):
    global seen
    if event == "import":
        seen += bool(seen) or arguments[0] == "bnncore.interrupts"
        if seen == at:
            os.kill(os.getpid(), number)
sys.addaudithook(hook)
from bnncore.cli import main
main()
"""


@posix
@pytest.mark.parametrize("at", [4, 9, 20, 40, 70, 100, 150])
def test_ctrl_c_while_the_command_starts_is_130_without_a_traceback(at: int, world: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _AT_AN_IMPORT, str(at), str(signal.SIGINT.value), "doctor"],
        cwd=world,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


@posix
def test_a_program_that_imports_bnncore_keeps_its_answer_to_ctrl_c() -> None:
    script = "import signal, bnncore; assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    subprocess.run([sys.executable, "-c", script], check=True)


@posix
@pytest.mark.parametrize(("number", "code"), [("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130)])
def test_a_process_that_is_asked_to_end_leaves_nothing_half_written(
    number: str, code: int, tmp_path: Path
) -> None:
    script = f"""
import os, signal, sys
from bnncore.cli import main
sync = os.fsync
os.fsync = lambda handle: os.kill(os.getpid(), signal.{number})
main(["new", "pets", "--classes", "cat,dog"])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert done.stderr == ("interrupted\n" if number == "SIGINT" else f"ended by {number}\n")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_that_arrives_in_a_destructor_ends_the_command() -> None:
    done = _within(
        "class Last:\n    def __del__(self):\n        os.kill(os.getpid(), signal.SIGINT)\n        time.sleep(10)\n"
        "Last()\ntime.sleep(10)"
    )
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


def test_a_standard_output_that_a_plugin_takes_away_is_code_1() -> None:
    done = _within("sys.stdout = None")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "bnncore: standard output: Bad file descriptor\n"


def _within(code: str) -> subprocess.CompletedProcess[str]:
    """Run some lines as a command's."""
    lines = code.replace("\n", "\n    ")
    script = "import os, signal, sys, time, click, bnncore.cli.list_ as listing\nfrom bnncore.cli import main\n"
    script += f"@click.command()\ndef command():\n    {lines}\nlisting.command = command\nmain(['list'])"
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=30
    )


# -- what has no words of its own --------------------------------------------------------------------


@pytest.fixture
def failing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Return a function that runs a command whose work raises, and returns code and standard error."""

    def run(fault: BaseException) -> tuple[int, str]:
        @click.command("list")
        def command() -> None:
            raise fault

        monkeypatch.setattr("bnncore.cli.list_.command", command)
        with pytest.raises(SystemExit) as stopped:
            main(["list"])
        return int(stopped.value.code or 0), capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (MemoryError(), "memory ran out"),
        (RecursionError(), "nested too deeply"),
        (
            ImportError("libopenblas.so.0: cannot open"),
            "cannot be imported: libopenblas.so.0: cannot open; install",
        ),
        (EOFError("Compressed file ended"), "a file ends too early: Compressed file ended"),
        (PermissionError(13, "Permission denied", "/etc/x"), "/etc/x: Permission denied"),
        (UnicodeEncodeError("ascii", "\udce9", 0, 1, "no"), "unexpected UnicodeEncodeError"),
        (ValueError("a\nb\x1b[31m"), "unexpected ValueError: a↵b\\x1b[31m"),
        (SystemExit(0), "tried to end the program"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_has_no_words_is_one_line_and_code_1(failing, fault: BaseException, words: str) -> None:
    code, err = failing(fault)
    assert code == ending.EXIT_ERROR
    assert words in err
    assert err.startswith("bnncore: ")
    assert err.count("\n") == 1


def test_an_import_that_fails_for_ctrl_c_is_ctrl_c(failing) -> None:
    fault = ImportError("numpy.core.multiarray failed to import")
    fault.__cause__ = KeyboardInterrupt()
    assert failing(fault) == (130, "interrupted\n")


@pytest.mark.parametrize("package", ["numpy", "PIL"])
def test_a_library_that_is_broken_is_named(package: str, tmp_path: Path, world: Path) -> None:
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text(f"from {package} import core")
    done = started(
        ["classify", WEIGHTS, "photos/dark/0.png"], world, env={**os.environ, "PYTHONPATH": str(tmp_path)}
    )
    assert done.returncode == 1
    assert re.fullmatch(rf"bnncore: .*\b{package} cannot be imported: .*\n", done.stderr), done.stderr


def test_a_warning_is_one_line() -> None:
    script = "import warnings; from bnncore.cli import main; import bnncore.cli.list_ as l; import click\n"
    script += "@click.command()\ndef c(): warnings.warn('a\\nb\\x1b[31m')\nl.command = c\nmain(['list'])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr == "bnncore: UserWarning: a↵b\\x1b[31m\n"


def test_the_codes_are_those_of_the_page() -> None:
    text = (DOCS / "reference" / "exit-codes.md").read_text("utf-8")
    listed = {
        int(code) for row in re.findall(r"^\| ([\d, ]+) \|", text, re.MULTILINE) for code in row.split(", ")
    }
    assert listed == {ending.EXIT_OK, ending.EXIT_ERROR, ending.EXIT_USAGE, EXIT_INTERRUPTED, 129, 143}
