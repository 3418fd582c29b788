"""`quiz stats`: what a class's answers say about the questions."""
