"""Starts Nestling with a command; the scripts beside this file name it."""
import os
import shutil
import sys


def run(*command):
    """Becomes `nestling COMMAND ARGUMENTS`, with the arguments of this script."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    program = os.path.join(root, "bin", "nestling")
    if not os.access(program, os.X_OK):
        program = shutil.which("nestling")
    if not program:
        sys.exit("nestling is not built yet: run `make build` in " + root)
    os.execv(program, [program] + list(command) + sys.argv[1:])
