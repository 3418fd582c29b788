"""The pretest at the start of the course: twelve questions whose result is a plan of evenings."""
