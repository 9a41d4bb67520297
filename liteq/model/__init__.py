"""The values that travel between processes and the store: frozen, and without I/O."""
