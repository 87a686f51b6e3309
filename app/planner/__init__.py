"""The planner: from a goal to a clean plan, from a failure to a revision, and the other questions to a model."""
