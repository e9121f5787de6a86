"""Programs end with the right exit code and one message, bugs with their traceback."""

import io
import subprocess
import sys

import pytest

from panna import errors
from panna.errors import PannaError, run_program

STAGES = [kind for kind in PannaError.__subclasses__() if kind.__module__ == errors.__name__]


def raising(error):
    def body(argv):
        raise error

    return body


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (2, 2), (7, 7)])
def test_the_code_of_the_body_is_returned(returned, code):
    assert run_program(lambda argv: returned) == code


def test_the_body_gets_the_command_line():
    seen = []
    run_program(seen.append, ["-x", "1"])
    run_program(seen.append)
    assert seen == [["-x", "1"], None]


@pytest.mark.parametrize("kind", [PannaError, *STAGES])
def test_errors_of_the_user_are_one_message_and_code_2(kind, capsys):
    assert run_program(raising(kind("train.ini [A] b = 1: wrong"))) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "panna: error: train.ini [A] b = 1: wrong\n")


def test_every_stage_has_its_own_code():
    assert len(STAGES) >= 7
    assert len({kind.code for kind in [PannaError, *STAGES]}) == len(STAGES) + 1


def test_what_was_said_comes_before_the_error():
    code = (
        "import sys; from panna.errors import *\n"
        "def body(argv):\n    sys.stdout.write('said\\n'); raise PannaError('wrong')\n"
        "sys.exit(run_program(body))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert (done.returncode, done.stdout) == (2, "said\npanna: error: wrong\n")


def test_ctrl_c_is_130(capsys):
    assert run_program(raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "panna: interrupted\n"


def test_system_errors_about_a_file_are_errors_of_the_user(capsys, tmp_path):
    assert run_program(lambda argv: open(tmp_path / "no").close()) == 2
    assert capsys.readouterr().err.endswith("no: No such file or directory\n")
    with pytest.raises(OSError, match="no file"):
        run_program(raising(OSError("no file")))


def test_bugs_show_their_traceback():
    with pytest.raises(ZeroDivisionError):
        run_program(lambda argv: 1 // 0)
    with pytest.raises(SystemExit):  # argparse
        run_program(raising(SystemExit(2)))


def test_a_reader_that_goes_away_is_no_error():
    code = (
        "import sys; from panna.console import say; from panna.errors import run_program\n"
        "sys.exit(run_program(lambda argv: [say('x' * 1000) for _ in range(1000)] and None))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141


def test_names_that_the_terminal_lacks_are_escaped(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(raw, encoding="ascii"))
    assert run_program(raising(PannaError("größe"))) == 2
    assert raw.getvalue() == b"panna: error: gr\\xf6\\xdfe\n"
