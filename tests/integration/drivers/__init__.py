"""Programs that drive the Python clients: see `clients.py`."""
