"""`python -m labs.course`: what `make course` runs; `python -m labs.course build` is what `make book` runs."""

import sys

from labs import terminal
from labs.course.commands import course

if __name__ == "__main__":
    sys.exit(terminal.run(course, "course"))
