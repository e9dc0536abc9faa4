"""One file for each implementation of a port: Redis, SQL, memory."""
