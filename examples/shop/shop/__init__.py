"""The app: products, orders, and their events and procedures."""
