"""The meta API: procedures that list, describe and end sessions, registrations and subscriptions."""
