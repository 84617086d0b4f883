"""The same scenarios on the wire against Crossbar.io and against this router: ``make differences``.

The outcome is a page, ``docs/differences.md``. Crossbar runs in a virtual environment of its own.
"""
