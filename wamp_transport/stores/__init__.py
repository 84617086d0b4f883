"""Storage of the configuration, identities, cookies, event history and running nodes, mostly in the database."""
