"""``doctor`` and ``check`` live on where a plugin hangs, crashes or ends the process, and leave no process behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from bnncore.cli import cli
from bnncore.diagnosis.supervised import fresh_python
from bnncore.discovery import kinds

PICTURE = Path(__file__).parents[2] / "examples" / "cucumber.png"

TOPOLOGY = """
from bnncore import Dense, Input, Topology, hookimpl

@hookimpl
def bnncore_topology(name):
    return Topology(name=name, input=Input(height=4, width=4), layers=(Dense(outputs=3),))
"""

BACKEND = """
from bnncore import Backend, hookimpl

@hookimpl
def bnncore_backend(name):
    return Backend(name=name, executor="bnn_odd:nothing", obstacle="bnn_odd:obstacle", priority=1000)

def obstacle(job):
    """

FATAL = {
    "import os; os._exit(3)": "ended the process with exit code 3",
    "import os; os.write(2, b'out of order'); os._exit(0)": r"exit code 0 \(out of order\)",
    "import ctypes; ctypes.string_at(0)": "by the signal SIGSEGV",
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)": "by the signal SIGKILL",
    "import time; time.sleep(600)": "gave no answer within 2 s",
}


@pytest.fixture
def offer(install):
    def put(name, source, kind=kinds.TOPOLOGY):
        return install(f"bnn-{name}", {kind.group: {name: f"bnn_{name}"}}, {f"bnn_{name}.py": source})

    return put


def run(*arguments):
    """Run a command and return its exit code and what it says, as JSON."""
    done = CliRunner().invoke(cli, [*arguments, "--json", "--timeout", "2"])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, json.loads(done.stdout)


@pytest.mark.parametrize("code", FATAL)
def test_doctor_names_the_plugin_that_takes_the_process_along_and_goes_on(offer, code, monkeypatch):
    monkeypatch.setenv("BNNCORE_DISABLE", "cifar10,cucumber9")
    offer("odd", code)
    offer("plain", TOPOLOGY)
    status, report = run("doctor")
    found = {each["subject"]: each for each in report["findings"]}
    assert status == 1
    assert [each["subject"] for each in report["findings"] if each["state"] == "problem"] == ["topology odd"]
    assert found["topology odd"]["text"].startswith("plugin bnn-odd 1.0 (odd) cannot be used: its code ")
    assert re.search(FATAL[code], found["topology odd"]["text"])
    assert found["topology plain"]["state"] == "ok"
    assert found["dataset mnist_lfc"]["state"] == "ok"
    assert found["backend numpy"]["state"] == "ok"


def test_a_backend_that_ends_the_process_is_the_problem_and_not_the_data_set(offer, monkeypatch):
    monkeypatch.setenv("BNNCORE_DISABLE", "cifar10,cucumber9")
    offer("odd", BACKEND + "import os; os._exit(3)", kinds.BACKEND)
    _, report = run("doctor")
    assert [each["subject"] for each in report["findings"] if each["state"] == "problem"] == ["backend odd"]


def test_an_obstacle_that_raises_is_a_problem(offer, monkeypatch):
    monkeypatch.setenv("BNNCORE_DISABLE", "cifar10,cucumber9")
    offer("odd", BACKEND + "raise SystemExit", kinds.BACKEND)
    _, report = run("doctor")
    found = {each["subject"]: each for each in report["findings"]}
    assert found["backend odd"]["state"] == "problem"
    assert "of bnn-odd 1.0 raised SystemExit" in found["backend odd"]["text"]


@pytest.mark.parametrize("place", ["hook", "obstacle", "executor", "scores"])
def test_an_interrupt_that_a_plugin_raises_is_its_own_fault(offer, monkeypatch, place):
    monkeypatch.setenv("BNNCORE_DISABLE", "cifar10,cucumber9")
    code = dict.fromkeys(["hook", "obstacle", "executor", "scores"], "pass") | {
        place: "raise KeyboardInterrupt"
    }
    source = f"""
from bnncore import Backend, hookimpl
from bnnhw.reference import NumpyExecutor
class Executor(NumpyExecutor):
    def scores(self, batch):
        {code["scores"]}
        return super().scores(batch)
@hookimpl
def bnncore_backend(name):
    {code["hook"]}
    return Backend(name=name, executor="bnn_odd:executor", obstacle="bnn_odd:obstacle", priority=1000)
def obstacle(job):
    {code["obstacle"]}
def executor(job):
    {code["executor"]}
    return Executor(job.network())
"""
    offer("odd", source, kinds.BACKEND)
    _, report = run("doctor")
    found = {each["subject"]: each for each in report["findings"]}
    assert [each for each in found if found[each]["state"] == "problem"] == ["backend odd"]
    assert "bnn-odd 1.0" in found["backend odd"]["text"]
    assert "raised KeyboardInterrupt" in found["backend odd"]["text"]
    assert found["backend numpy"]["state"] == "ok"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")
def test_a_process_that_a_plugin_leaves_behind_hides_no_end(offer, monkeypatch):
    monkeypatch.setenv("BNNCORE_DISABLE", "cifar10,cucumber9")
    offer("odd", "import os, time\nif os.fork():\n    os._exit(3)\ntime.sleep(600)")
    _, report = run("doctor")
    found = {each["subject"]: each for each in report["findings"]}
    assert "its code ended the process with exit code 3" in found["topology odd"]["text"]


def test_what_a_plugin_prints_is_no_part_of_the_report(offer, monkeypatch):
    monkeypatch.setenv("BNNCORE_DISABLE", "cifar10,cucumber9")
    loud = "import os, sys\nprint('[')\nos.write(1, b'{\"over\": true}')\nfor fd in range(3, 9):\n"
    loud += "    try: os.write(fd, b'\\xff{\"found\"')\n    except OSError: pass\n"
    offer("loud", loud + TOPOLOGY)
    status, report = run("doctor")
    assert status == 0, report


def test_what_a_plugin_prints_leaves_json_valid(offer):
    loud = (
        "import os\nprint('import')\nos.write(1, b'of C')\n" + BACKEND + "print('obstacle'); return 'no card'"
    )
    site = offer("odd", loud, kinds.BACKEND)
    command = [sys.executable, "-m", "bnncore", "classify", "cucumber9", str(PICTURE), "--json"]
    done = subprocess.run(command, env=environment(site), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)[0]["label"] == "M"
    assert {"import", "of C", "obstacle"} <= set(re.split(r"\n|(?<=of C)", done.stderr))


@pytest.mark.parametrize("code", ["import os; os._exit(3)", "import time; time.sleep(600)"])
def test_check_goes_on_after_the_process_ended(offer, code):
    offer("odd", code)
    status, report = run("check", "bnn-odd")
    found = {each["check"]: each for each in report["outcomes"]}
    assert status == 1
    assert "cannot be imported and described in a fresh process: " in found["import_is_light"]["text"]
    assert "plugin bnn-odd 1.0 (odd) cannot be used: its code " in found["api_level"]["text"]
    assert found["names"]["state"] == "ok"
    assert found["backends"]["state"] == "skipped"


@pytest.mark.skipif(os.name != "posix", reason="Windows removes no folder that is in use")
def test_check_works_in_a_folder_that_is_gone(offer, tmp_path):
    site = offer("plain", TOPOLOGY)
    script = f"import os, sys; os.chdir({str(tmp_path)!r}); os.mkdir('x'); os.chdir('x'); os.rmdir('../x')\n"
    script += "from bnncore.cli import main; main(['check', 'bnn-plain', '--json'])"
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(site), capture_output=True, text=True, check=False
    )
    found = {each["check"]: each for each in json.loads(done.stdout)["outcomes"]}
    assert found["import_is_quiet"]["state"] == "ok"


def test_check_lives_on_where_a_hook_is_fatal_when_it_is_asked_twice(offer):
    third = "    COUNT.append(name)\n    if len(COUNT) > 2:\n        import os\n        os._exit(4)\n"
    fatal = TOPOLOGY.replace("    return", f"{third}    return")
    offer("odd", f"COUNT = []\n{fatal}")
    _, report = run("check", "bnn-odd")
    assert "exit code 4" in str(report)
    assert len(report["outcomes"]) == 25


def environment(site, *others):
    places = [str(site), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}


@pytest.mark.parametrize("command", [("-m", "bnncore"), ("-c", "from bnncore.cli import main; main()")])
def test_check_imports_nothing_from_the_current_folder(offer, tmp_path, command):
    site = offer("odd", TOPOLOGY)
    stray = tmp_path / "stray"
    stray.mkdir()
    for name in ("bnn_odd", "numpy", "PIL"):
        (stray / f"{name}.py").write_text(f"raise SystemExit('{name} of the current folder')")
    done = subprocess.run(
        [sys.executable, *command, "check", "bnn-odd", "--json"],
        cwd=stray,
        env=environment(site),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "current folder" not in done.stdout + done.stderr
    outcomes = {each["check"]: each["state"] for each in json.loads(done.stdout)["outcomes"]}
    assert outcomes["topologies"] == "ok"
    assert outcomes["import_is_quiet"] == "ok"


def test_a_fresh_python_looks_where_this_one_does_and_not_in_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('stray')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "asked.py").write_text("import json\ndef main(): print(json.dumps('ran'))")
    monkeypatch.syspath_prepend(str(tmp_path / "mine"))
    sys.path.remove(str(tmp_path))
    done = subprocess.run(fresh_python("asked"), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == '"ran"'


def children(of):
    """Return the processes that a process has started, and theirs."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == of:
                found += [int(entry.name), *children(int(entry.name))]
    return found


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def gone(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("signalled", [signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left_behind(offer, tmp_path, signalled):
    sign = tmp_path / "hangs"
    grandchild = (
        "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])"
    )
    grandchild = grandchild if signalled == signal.SIGINT else ""
    site = offer(
        "odd", f"import time, pathlib\n{grandchild}\npathlib.Path({str(sign)!r}).touch()\ntime.sleep(600)"
    )
    command = [sys.executable, "-m", "bnncore", "doctor"]
    with subprocess.Popen(
        command, env=environment(site), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        wait_for(sign.exists)
        started = children(process.pid)
        assert started
        process.send_signal(signalled)
        process.wait(20)
    wait_for(lambda: all(gone(each) for each in started), 10)
    assert process.returncode == (130 if signalled == signal.SIGINT else -signal.SIGKILL)
