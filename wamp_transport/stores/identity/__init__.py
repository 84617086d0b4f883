"""Identity in the Django project: principals in the database, users, tokens, and the audit trail of logins."""
