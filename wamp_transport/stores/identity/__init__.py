"""Identities in the Django project: stored principals, users, tokens, and the audit trail of logins."""
