"""A terminal for the room: raw keys in, whole screens out, on the terminal's second page, so that nothing is left behind on the first.

screen.sit(room)     # returns when the exam is handed in, or when its taker goes out
"""

import os
import select
import shutil
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from quizzes.exam.room import Room

KEYS = {
    "\x1b[A": "up", "\x1b[B": "down", "\x1b[C": "right", "\x1b[D": "left",
    "\x1bOA": "up", "\x1bOB": "down", "\x1bOC": "right", "\x1bOD": "left",
    "\x1b[5~": "pageup", "\x1b[6~": "pagedown",
    "\x1b[H": "home", "\x1b[F": "end", "\x1b[1~": "home", "\x1b[4~": "end",
    "\x1b": "escape", "\r": "enter", "\n": "enter", "\x7f": "backspace", "\x08": "backspace",
}  # fmt: skip
"""what a terminal sends: what the key is called"""
SMALLEST = (60, 16)


def keys(text: str) -> Iterator[str]:
    """The keys in what a terminal sent, also when several came at once; a sequence that nobody knows is passed over."""
    while text:
        known = next(
            (code for size in (4, 3, 1) if (code := text[:size]) in KEYS and (size > 1 or text[0] != "\x1b")), None
        )
        if known:
            yield KEYS[known]
            text = text[len(known) :]
        elif text[0] != "\x1b":
            yield text[0]
            text = text[1:]
        elif len(text) == 1:
            yield "escape"
            text = ""
        else:  # an unknown sequence ends with a letter or a tilde
            end = next((n for n, c in enumerate(text[2:], 2) if c.isalpha() or c == "~"), len(text) - 1)
            text = text[end + 1 :]


@contextmanager
def _second_page(fd: int) -> Iterator[None]:
    before = termios.tcgetattr(fd)
    try:
        tty.setcbreak(fd)  # Ctrl-C stays what it is
        sys.stdout.write("\x1b[?1049h\x1b[?25l")
        yield
    finally:
        sys.stdout.write("\x1b[?25h\x1b[?1049l")
        sys.stdout.flush()
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def sit(room: Room) -> None:
    """Show the room until it is done or left."""
    fd = sys.stdin.fileno()
    with _second_page(fd):
        shown: list[str] = []
        while not (room.tick(time.time()) or room.left):
            width, height = shutil.get_terminal_size()
            if width < SMALLEST[0] or height < SMALLEST[1]:
                lines = [f"Please make this window {SMALLEST[0]} × {SMALLEST[1]} or larger."]
            else:
                lines = room.lines(width, height, time.time())
            if lines != shown:
                sys.stdout.write("\x1b[H" + "\r\n".join(f"{line}\x1b[0m\x1b[K" for line in lines) + "\x1b[J")
                sys.stdout.flush()
                shown = lines
            if not select.select([fd], [], [], 0.5)[0]:
                continue
            came = os.read(fd, 1024)
            if not came:
                return  # the terminal is gone
            for key in keys(came.decode("utf-8", "ignore")):
                room.press(key, time.time())
                if room.done or room.left:
                    break
