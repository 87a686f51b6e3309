"""Speed and size of what users get: ``python -m benchmarks``, ``make bench``. See ``docs/performance.md``."""
