"""REST under ``/api``: a file a resource, errors as problem details, everything through the services."""
