"""The stores for cookie records: in memory, in a file, and in the database. They have a common interface."""
