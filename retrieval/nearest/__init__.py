"""The nearest of many vectors, in one process or in a database."""
