"""The quick way through large files: regular documents become event columns without becoming Python objects.

`scan` finds runs of sound transaction sets in the reader's text and splits them into a tape of elements. For each
frequent set one compiled kernel reads a document from the tape and writes its events into a `page` of columns; what
is not entirely regular it refuses, untouched, and the row-wise reader of `edi.documents` takes the document instead.
So the row-wise readers say what a document means, and the kernels must say the same: tests compare the two.

None of it is imported before there is enough to read (`adapter.BULK_BYTES`): the kernels are compiled once per
installation and loaded from the user's cache after that, which takes a moment too.
"""
