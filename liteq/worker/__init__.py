"""The worker: claims tasks, runs them in a pool, and settles them."""
