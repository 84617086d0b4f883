"""The identities of a node's sessions: logins, lockout, audit trail, and sessions that end with their user."""
