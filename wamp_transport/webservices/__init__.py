"""HTTP services on the paths of a web transport, one module per path type."""
