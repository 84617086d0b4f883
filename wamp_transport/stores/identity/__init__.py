"""Django's side of identity: principals in the database, users, tokens, and what happens at the door."""
