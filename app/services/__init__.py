"""The use cases: verbs over tasks, runs, branches and namespaces. They know adapters by their Protocols."""
