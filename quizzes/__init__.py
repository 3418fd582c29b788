"""The item bank and its faces: page, notebook, terminal."""
