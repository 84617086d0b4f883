"""The identities of a node's sessions: logins, lockouts, the audit trail, and sessions that end with their user."""
