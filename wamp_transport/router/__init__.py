"""The WAMP router core: sessions, realms, broker and dealer. The core is synchronous and does no I/O."""
