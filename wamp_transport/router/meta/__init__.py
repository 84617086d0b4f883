"""The meta API: procedures by which sessions, registrations and subscriptions are looked at and ended."""
