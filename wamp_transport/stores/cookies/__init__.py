"""Cookie tracking: the records of clients that are known by a cookie, in three stores with one interface."""
