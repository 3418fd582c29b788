"""`quiz export`: the bank, or some quizzes of it, for another program.

quiz export moodle                      # deployment-dilemma.xml, to import into a course's question bank
quiz export anki 06-squid -o squid.apkg
quiz export xlsx 06-squid 05-economics  # a sheet for a live poll
quiz export room                        # polls.json, where the room's server looks for it
quiz export scorm 06-squid --pass 80    # a page that a learning platform plays, and takes the score of
quiz export qti                         # QTI 2.1: items, and a test for each quiz
"""

from pathlib import Path

import click

from labs import terminal
from labs.errors import FALSE, USAGE, Refusal
from quizzes.exports import gather, moodle, poll, qti, room, scorm
from quizzes.marking.command import BANK_OPTION

ENDINGS = {
    "moodle": ".xml",
    "anki": ".apkg",
    "csv": ".csv",
    "xlsx": ".xlsx",
    "room": ".json",
    "scorm": "-scorm.zip",
    "qti": "-qti.zip",
}
NEXT = {
    "moodle": "In Moodle: Question bank › Import › Moodle XML format.",
    "anki": "In Anki: File › Import. Importing a newer one updates the cards.",
    "csv": "Put the scenario on a slide; let the poll ask the question.",
    "xlsx": "Put the scenario on a slide; let the poll ask the question.",
    "room": "'lab serve --room ADDRESS' asks them, from the instructor's page.",
    "scorm": "In your platform: upload it as a SCORM 1.2 package. It marks in the learner's browser, so it carries its own key.",
    "qti": "In your platform: import it as a QTI 2.1 package.",
}


@click.command()
@click.argument("form", metavar="FORMAT", type=click.Choice(list(ENDINGS)))
@click.argument("slugs", metavar="[SLUG]...", nargs=-1)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="The file to write; 'deployment-dilemma' with its ending unless you say.")  # fmt: skip
@click.option("--key", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="scorm: of a form that 'quiz form' drew, instead of quizzes.")  # fmt: skip
@click.option("--pass", "pass_mark", type=click.FloatRange(0, 100), help="scorm: points of 100 that pass; 70 unless you, or the platform, say otherwise.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON about what was written.")
@BANK_OPTION
def export(
    form: str,
    slugs: tuple[str, ...],
    output: Path | None,
    key: Path | None,
    pass_mark: float | None,
    as_json: bool,
    where: Path,
) -> None:
    """Write the questions, with their keys and reasons, for FORMAT: moodle, anki, csv or xlsx (a live poll's sheet), room (the room's own polls),
    scorm (1.2: a page a quiz, for a learning platform to play) or qti (2.1).

    Of all quizzes, or of those named. The figures in them are those of the day: export again when the register changes.
    """
    if form != "scorm" and (key or pass_mark is not None):
        raise Refusal("--key and --pass are for scorm alone", USAGE)
    if key and slugs:
        raise Refusal("name quizzes, or the key of a form, not both", USAGE)
    lessons = [] if form != "scorm" else scorm.of_form(key) if key else scorm.of_bank(slugs, where)
    exported = [] if form == "scorm" else gather.items(slugs, where)
    path = output or (room.home() if form == "room" else Path(f"deployment-dilemma{ENDINGS[form]}"))
    sheet = poll.rows(exported) if form in ("csv", "xlsx") else []
    asked = sum(len(lesson.items) for lesson in lessons) or len(exported)
    written = len(room.polls(exported)) if form == "room" else len(sheet) if form in ("csv", "xlsx") else asked
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
        elif form == "scorm":
            scorm.write(lessons, path, scorm.PASS_MARK if pass_mark is None else pass_mark)
        elif form == "qti":
            qti.write(exported, path)
        elif form == "csv":
            path.write_text(poll.as_csv(sheet), "utf-8", newline="")
        else:
            poll.write_xlsx(sheet, path)
    except OSError as wrong:
        raise Refusal(f"{path} cannot be written: {wrong.strerror}", FALSE) from None
    left_out = asked - written
    if as_json:
        terminal.emit_json({"format": form, "path": str(path), "items": written, "left_out": left_out})
        return
    takes = (
        "one or several answers, or a number; no order and no pairs"
        if form == "room"
        else "one or several answers, no order, pairs or number"
    )
    terminal.say(f"{written} questions in {path}." + (f" {left_out} left out: a poll asks for {takes}." if left_out else ""))  # fmt: skip
    terminal.say(NEXT[form])
