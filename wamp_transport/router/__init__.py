"""The WAMP router core: sessions, realms, broker and dealer. It is synchronous and does no I/O."""
