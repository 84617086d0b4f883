"""The records of clients that have a cookie, in three stores with one interface."""
