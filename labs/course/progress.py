"""How the labs' progress looks in a terminal: a line for each lab that grows, or plain lines where nothing can be redrawn."""

from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from labs import terminal
from labs.course.execute import Step

EVERY_S = 15.0
"""Between two plain lines of one lab."""


class Report:
    """Shows steps as they come; used as a context manager, so that the terminal is put right whatever happens."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._said: dict[str, float] = {}

    def __enter__(self) -> "Report":
        return self

    def __call__(self, step: Step) -> None:
        """Show how far a lab is."""
        if terminal.err.is_terminal:
            self._draw(step)
        elif step.done or step.seconds - self._said.get(step.lab, -EVERY_S) >= EVERY_S:
            self._said[step.lab] = step.seconds
            terminal.err.print(f"lab {step.lab}: {sentence(step)}")

    def _draw(self, step: Step) -> None:
        if self._progress is None:
            columns = (
                TextColumn("lab {task.description}"),
                BarColumn(bar_width=28),
                MofNCompleteColumn(),
                TextColumn("cells"),
                TimeElapsedColumn(),
            )
            self._progress = Progress(*columns, console=terminal.err)
            self._progress.start()
        if step.lab not in self._tasks:
            self._tasks[step.lab] = self._progress.add_task(step.lab, total=step.cells)
        self._progress.update(self._tasks[step.lab], completed=step.cell)
        if step.done:
            self._progress.stop_task(self._tasks[step.lab])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()


def sentence(step: Step) -> str:
    """How far a lab is, in words."""
    if step.done:
        return (
            f"{step.cells} cells in {step.seconds:.0f} s" if step.seconds else f"{step.cells} cells, kept from before"
        )
    return f"{step.cell} of {step.cells} cells, {step.seconds:.0f} s"
