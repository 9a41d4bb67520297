"""Tasks in transactions of the application: sent in them, and completed in them."""
