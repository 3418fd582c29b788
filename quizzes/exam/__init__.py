"""The exam room in the terminal: a sitting that is kept, the room that shows it, and what came of it."""
