"""The viewer: a web page at ``/`` that is a client of the API alone. The server gives it its files and a session."""
