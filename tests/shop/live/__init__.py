"""The shop's handlers, as an app of their own: only tests that want them install it."""
