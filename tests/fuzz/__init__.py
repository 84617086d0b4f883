"""A search for bytes that do what none may: crash a decoder, or meet a bug behind it."""
