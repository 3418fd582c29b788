"""`quiz export`: the bank for other programs: Moodle, Anki, and sheets for a live poll."""
