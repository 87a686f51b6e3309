"""How runs get to workers. The rows of :class:`app.db.base.JobTable` are the truth; a queue says where to look."""
