"""Django's side of identity on a running node: sessions follow their users, failures are counted, logins recorded."""
