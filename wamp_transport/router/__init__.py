"""The WAMP router core: sessions, realms, broker and dealer. It computes; it does no I/O."""
