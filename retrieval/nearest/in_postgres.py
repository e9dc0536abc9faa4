"""An index in PostgreSQL, by its extension pgvector, for knowledge bases that one machine's memory does not hold."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import psycopg
from psycopg import sql

from retrieval.nearest.port import Nearest, Progress, Report, RowIds, checked_query
from retrieval.types import FaqError, Vector
from retrieval.vectors import check_unit_length

_CHUNK = 1_000
_SEARCH_BREADTH = 100
_MOST_BREADTH = 1000

Connect = Callable[[], psycopg.Connection]


class PgvectorIndex:
    """A `VectorIndex` in a table of PostgreSQL.

    Args:
        connect: opens a connection; each search and each build takes one and closes it.
        table: the table; `build` creates it.
    """

    def __init__(self, connect: Connect, table: str = "nearest") -> None:
        self._connect = connect
        self._table = sql.Identifier(table)
        self._draft = sql.Identifier(f"{table}_draft")
        self._width = 0
        self._rows = 0

    def build(self, vectors: Vector, fingerprint: str, report: Report = lambda _: None) -> PgvectorIndex:
        """Puts vectors into the table; searches see the old ones until all are in.

        Args:
            vectors: unit length, shape `(rows, width)`.
            fingerprint: identifies the encoder that they came from; it is the table's comment.
            report: is told how far it is.

        Returns:
            This index.

        Raises:
            FaqError: a vector has no unit length, or the extension is missing.
        """
        rows, width = vectors.shape
        with self._connect() as connection:
            try:
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            except psycopg.Error as error:
                why = " ".join(str(error).split())
                raise FaqError(
                    f"PostgreSQL has no pgvector ({why}); install it beside the server and let the owner"
                    " of the database run CREATE EXTENSION vector"
                ) from error
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(self._draft))
            connection.execute(
                sql.SQL("CREATE TABLE {} (id bigint PRIMARY KEY, vector vector({}) NOT NULL)").format(
                    self._draft, sql.Literal(width)
                )
            )
            began = time.monotonic()
            copy = sql.SQL("COPY {} (id, vector) FROM STDIN").format(self._draft)
            for start in range(0, rows, _CHUNK):
                piece = np.asarray(vectors[start : start + _CHUNK], dtype=np.float32)
                check_unit_length(piece)
                with connection.cursor() as cursor, cursor.copy(copy) as stream:
                    for offset, vector in enumerate(piece):
                        stream.write_row((start + offset, _literal(vector)))
                done = start + len(piece)
                report(Progress(done, rows, (time.monotonic() - began) / done * (rows - done)))
            # Before version 0.5 there are no graphs; comparing all is exact, and slow with many rows.
            kind = "hnsw (vector vector_ip_ops)" if _knows_graphs(connection) else ""
            if kind:
                connection.execute(sql.SQL("CREATE INDEX ON {} USING " + kind).format(self._draft))
            connection.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(self._draft, sql.Literal(fingerprint)))
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(self._table))
            connection.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(self._draft, self._table))
        return self.open(fingerprint)

    def open(self, fingerprint: str) -> PgvectorIndex:
        """Looks at the table that an earlier build made.

        Args:
            fingerprint: identifies the encoder that gives the queries.

        Returns:
            This index.

        Raises:
            FaqError: there is no such table, or its vectors came from another encoder.
        """
        with self._connect() as connection:
            try:
                count = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(self._table)).fetchone()
                dims = connection.execute(
                    sql.SQL("SELECT vector_dims(vector) FROM {} LIMIT 1").format(self._table)
                ).fetchone()
                comment = connection.execute(
                    "SELECT obj_description(%s::regclass, 'pg_class')", (self._table.as_string(connection),)
                ).fetchone()
            except psycopg.Error as error:
                why = " ".join(str(error).split())
                raise FaqError(f"the index table cannot be read ({why}); build the index again") from error
        if comment is None or comment[0] != fingerprint:
            raise FaqError(
                f"{self._table.as_string(None)}: its vectors came from another encoder;"
                " build the index again with the present one"
            )
        self._rows, self._width = (count[0] if count else 0), (dims[0] if dims else 0)
        return self

    @property
    def width(self) -> int:
        """The width of its vectors."""
        return self._width

    def __len__(self) -> int:
        """How many vectors it has."""
        return self._rows

    def search(self, vector: Vector, top: int, allowed: RowIds | None = None) -> Nearest:
        """Finds the nearest rows; see `VectorIndex.search`."""
        query = _literal(checked_query(vector, self._width, top)[0])
        chosen = sql.SQL("") if allowed is None else sql.SQL("WHERE id = ANY(%(allowed)s)")
        statement = sql.SQL(
            "SELECT id, -(vector <#> %(query)s::vector) FROM {} {} ORDER BY vector <#> %(query)s::vector LIMIT %(top)s"
        ).format(self._table, chosen)
        values = {"query": query, "top": top, "allowed": None if allowed is None else allowed.tolist()}
        with self._connect() as connection:
            if _knows_graphs(connection):
                breadth = min(max(_SEARCH_BREADTH, 2 * top), _MOST_BREADTH)
                connection.execute(sql.SQL("SET LOCAL hnsw.ef_search = {}").format(sql.Literal(breadth)))
                if allowed is not None:
                    # A walk through the graph could pass the allowed rows by.
                    connection.execute("SET LOCAL enable_indexscan = off")
            found = connection.execute(statement, values).fetchall()
        return Nearest(
            np.array([row for row, _ in found], dtype=np.int64), np.array([near for _, near in found], dtype=np.float32)
        )


def _knows_graphs(connection: psycopg.Connection) -> bool:
    found = connection.execute("SELECT 1 FROM pg_am WHERE amname = 'hnsw'").fetchone()
    return found is not None


def _literal(vector: Vector) -> str:
    return "[" + ",".join(f"{value:.7g}" for value in vector.tolist()) + "]"
