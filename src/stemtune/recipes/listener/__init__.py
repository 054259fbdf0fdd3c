"""Our own listener."""
