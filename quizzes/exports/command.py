"""`quiz export`: the bank, or some quizzes of it, for another program.

quiz export moodle                      # deployment-dilemma.xml, to import into a course's question bank
quiz export anki 06-squid -o squid.apkg
quiz export xlsx 06-squid 05-economics  # a sheet for a live poll
quiz export room                        # polls.json, where the room's server looks for it
"""

from pathlib import Path

import click

from labs import terminal
from labs.errors import FALSE, USAGE, Refusal
from quizzes.exports import gather, moodle, poll, room
from quizzes.marking.command import BANK_OPTION

ENDINGS = {"moodle": "xml", "anki": "apkg", "csv": "csv", "xlsx": "xlsx", "room": "json"}
NEXT = {
    "moodle": "In Moodle: Question bank › Import › Moodle XML format.",
    "anki": "In Anki: File › Import. Importing a newer one updates the cards.",
    "csv": "Put the scenario on a slide; let the poll ask the question.",
    "xlsx": "Put the scenario on a slide; let the poll ask the question.",
    "room": "'lab serve --room ADDRESS' asks them, from the instructor's page.",
}


@click.command()
@click.argument("form", metavar="FORMAT", type=click.Choice(list(ENDINGS)))
@click.argument("slugs", metavar="[SLUG]...", nargs=-1)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="The file to write; 'deployment-dilemma' with its ending unless you say.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON about what was written.")
@BANK_OPTION
def export(form: str, slugs: tuple[str, ...], output: Path | None, as_json: bool, where: Path) -> None:
    """Write the questions, with their keys and reasons, for FORMAT: moodle, anki, csv or xlsx (a live poll's sheet), or for the room's own polls (room).

    Of all quizzes, or of those named. The figures in them are those of the day: export again when the register changes.
    """
    exported = gather.items(slugs, where)
    path = output or (room.home() if form == "room" else Path(f"deployment-dilemma.{ENDINGS[form]}"))
    sheet = poll.rows(exported) if form in ("csv", "xlsx", "room") else []
    written = len(sheet) if form in ("csv", "xlsx", "room") else len(exported)
    if not written:
        raise Refusal("there is no question for this format in these quizzes", USAGE)
    try:
        if form == "moodle":
            path.write_text(moodle.document(exported), "utf-8")
        elif form == "anki":
            from quizzes.exports import anki  # genanki, which nothing else needs

            path.touch()
            anki.write(exported, path)
        elif form == "room":
            room.write(exported, path)
        elif form == "csv":
            path.write_text(poll.as_csv(sheet), "utf-8", newline="")
        else:
            poll.write_xlsx(sheet, path)
    except OSError as wrong:
        raise Refusal(f"{path} cannot be written: {wrong.strerror}", FALSE) from None
    left_out = len(exported) - written
    if as_json:
        terminal.emit_json({"format": form, "path": str(path), "items": written, "left_out": left_out})
        return
    terminal.say(f"{written} questions in {path}." + (f" {left_out} left out: a poll asks for one or several answers, no order, pairs or number." if left_out else ""))  # fmt: skip
    terminal.say(NEXT[form])
