"""Speed and size, measured on what users get: ``python -m benchmarks`` (``make bench``). See ``docs/performance.md``."""
