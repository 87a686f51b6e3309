"""Seeded faults: valid plans, broken in the ways that the checker's codes name, and how many of these it finds.

``python -m benchmarks.faults`` prints the table. ``docs/reliability.md`` says what is counted.
"""
