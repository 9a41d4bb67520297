"""One run of a task: its context, its limits, and how its failure is stored."""
