"""Fitting the laws of speed to published figures, and saying how far off they are. `python -m labs.serving.calibration` shows all of it."""
