"""A call becomes a message: options, route, times, payload."""
