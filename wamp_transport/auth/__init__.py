"""The authentication methods and the sources of principals. This package does no I/O and uses no clock."""
