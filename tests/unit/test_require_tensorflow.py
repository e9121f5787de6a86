"""TensorFlow's messages at its import."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("tensorflow")
IMPORT = (
    "from panna.storage.require_tensorflow import *;"
    "require_tensorflow('a test'); import_tensorflow();"
    "import sys; print('imported' if 'tensorflow' in sys.modules else 'missing')"
)


def started(code: str, tmp_path, **environment: str) -> subprocess.CompletedProcess:
    variables = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"} | environment
    return subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=variables, capture_output=True, text=True
    )


def test_tensorflow_starts_quietly(tmp_path):
    run = started(IMPORT, tmp_path)
    assert (run.returncode, run.stdout, run.stderr) == (0, "imported\n", "")


def test_on_request_it_tells_everything(tmp_path):
    assert "oneDNN" in started(IMPORT, tmp_path, TF_CPP_MIN_LOG_LEVEL="0").stderr


def test_other_messages_are_kept(tmp_path):
    code = (
        "import os, sys\n"
        "from panna.storage.require_tensorflow import _without_chatter\n"
        "with _without_chatter():\n"
        "    os.write(2, b'I0000 chatter\\nE0000 what matters\\n')\n"
        "    print('from Python', file=sys.stderr)\n"
        "    raise SystemExit('and its end')\n"
    )
    run = started(code, tmp_path)
    assert run.stderr == "E0000 what matters\nfrom Python\nand its end\n"
