"""The app: products, orders, and what is told of them."""
