"""A site whose processes send each other hints about changes over Redis."""
