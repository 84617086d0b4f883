"""The authentication methods: their computations and steps, and the sources of principals. No I/O, no clock."""
