"""`quiz grade` and `quiz form`: attempt files of a class, marked against the bank or against a key that is kept elsewhere."""
