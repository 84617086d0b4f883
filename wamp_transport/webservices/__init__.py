"""What answers HTTP requests on the paths of a web transport, one module per path type."""
