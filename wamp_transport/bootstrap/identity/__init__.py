"""The identities of a node's sessions: logins, lockouts, the audit trail, and the session watch."""
