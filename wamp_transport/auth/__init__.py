"""The authentication methods: their computations, their steps, and where principals come from. No I/O, no clock."""
