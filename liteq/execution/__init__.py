"""One run of a task: its context, its code and hooks, its limits, and its failure."""
