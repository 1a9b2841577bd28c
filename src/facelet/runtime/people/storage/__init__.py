"""Where a gallery is stored: a SQLite file, plain or encrypted, or a PostgreSQL database, behind one interface."""
