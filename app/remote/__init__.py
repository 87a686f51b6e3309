"""Another StackVM, asked over HTTP: what the commands do against a server."""
