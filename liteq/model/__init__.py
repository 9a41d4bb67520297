"""The values that travel: frozen, and without behaviour that needs a store or a process."""
