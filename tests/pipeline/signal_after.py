"""Runs a program that gets a signal once it, or one of its worker processes, has written files.

    python signal_after.py SIGNAL COUNT SUFFIX MODULE ARGUMENT...

A signal sent from outside after a look at the folder comes too late on a busy machine. Processes
that a shell has started in the background ignore SIGINT; not this one.
"""

import importlib
import os
import signal
import sys

number, count, suffix, module, *arguments = sys.argv[1:]
is_program = __name__ == "__main__"  # worker processes import this file under another name
target = os.getpid() if is_program else os.getppid()
rename = os.replace
written = []


def rename_and_count(source, destination, **options):
    rename(source, destination, **options)
    if str(destination).endswith(suffix):
        written.append(destination)
        if len(written) == int(count):
            os.kill(target, int(number))


os.replace = rename_and_count
if is_program:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(importlib.import_module(module).main(arguments))
