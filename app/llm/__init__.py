"""Models: one Protocol, several providers, and the gateway that retries, counts and keeps to budgets."""
