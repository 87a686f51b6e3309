"""The database room: tables, sessions, and the ledgers, leases and lists kept in them."""
