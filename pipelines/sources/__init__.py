"""One module (or package) per source system: files in, canonical event frames out.

`base` holds what all adapters share, `registry` which of them recognises a file.
"""
