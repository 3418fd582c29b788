"""The course as a site on this machine: build the book, run its labs behind it, serve it. `make course` is `python -m labs.course`."""
