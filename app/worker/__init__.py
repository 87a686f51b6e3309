"""Workers: threads that take runs from the queue and see them to their end."""
