"""History: a task is a git repository; every step is a commit. The stores behind it share one seam."""
