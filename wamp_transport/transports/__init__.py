"""What carries bytes to and from peers."""
