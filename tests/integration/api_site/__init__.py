"""A site whose views and signals speak WAMP in the process that serves them."""
