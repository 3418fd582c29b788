"""Study mode: what is due comes back, a taker says how sure they are, and sees in the end how far that was true."""
