"""Play the same scenarios, message by message, against Crossbar.io and this router: ``make differences``.

The result is the page ``docs/differences.md``. Crossbar runs in a separate virtual environment.
"""
