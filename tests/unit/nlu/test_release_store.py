from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nlu.releases import ReleaseStore, new_name
from nlu.types import ReleaseError
from tests.unit.nlu.release_examples import damage, fill, leftovers, manifest, sealed


def test_new_names_differ_and_sort_by_time() -> None:
    names = [new_name(13) for _ in range(50)]
    assert len(set(names)) == 50
    assert all(re.fullmatch(r"r\d{8}-\d{6}-[0-9a-f]{6}", name) for name in names)
    assert sorted(name[:16] for name in names) == [name[:16] for name in names]


def test_an_empty_store(store: ReleaseStore) -> None:
    assert (store.names(), store.current()) == ([], None)
    with pytest.raises(ReleaseError, match="no release was promoted yet"):
        store.open_current()
    with pytest.raises(ReleaseError, match="no earlier release"):
        store.rollback()
    with pytest.raises(ReleaseError, match="none; train one"):
        store.promote("r20260101-000001-000001")


def test_releases_are_listed_promoted_and_rolled_back(store: ReleaseStore) -> None:
    second, first, third = sealed(store, 2), sealed(store, 1), sealed(store, 3)
    (store.root / "notes").mkdir()
    (store.root / "r20260101-000009-000009").write_text("a file")
    assert store.names() == [first, second, third]
    assert store.current() is None
    for name in (first, second, second, third):
        store.promote(name)
    assert store.open_current() == (third, None)
    assert store.path(third).name == third
    assert store.rollback() == second
    assert store.rollback() == first
    store.promote(third)
    assert store.rollback() == first
    assert store.current() == first
    with pytest.raises(ReleaseError, match="no earlier release"):
        store.rollback()
    assert store.current() == first


def test_an_older_release_that_was_promoted_again_can_be_rolled_back(store: ReleaseStore) -> None:
    first, second = sealed(store, 1), sealed(store, 2)
    for name in (first, second, first):
        store.promote(name)
    assert [store.rollback(), store.rollback()] == [second, first]


@pytest.mark.parametrize("name", ["", ".", "..", "../out", "/etc", "r20260101-000001-000001/../x", "notes", "a\0b"])
def test_only_release_names_are_paths(store: ReleaseStore, name: str) -> None:
    sealed(store, 1)
    (store.root / "notes").mkdir()
    with pytest.raises(ReleaseError, match="Releases here: r20260101-000001-000001"):
        store.path(name)


def test_a_damaged_release_is_not_promoted(store: ReleaseStore) -> None:
    first, second = sealed(store, 1), sealed(store, 2)
    store.promote(first)
    damage(store, second)
    with pytest.raises(ReleaseError, match="damaged"):
        store.promote(second)
    assert store.open_current() == (first, None)


def test_a_release_under_a_wrong_name_is_not_promoted(store: ReleaseStore) -> None:
    store.path(sealed(store, 1)).rename(store.root / "r20260101-000009-000009")
    with pytest.raises(ReleaseError, match="expected the name r20260101-000009-000009"):
        store.promote("r20260101-000009-000009")


def test_a_linked_release_is_none(store: ReleaseStore, tmp_path: Path) -> None:
    name = sealed(store, 1)
    store.path(name).rename(tmp_path / name)
    (store.root / name).symlink_to(tmp_path / name)
    assert store.names() == []
    with pytest.raises(ReleaseError, match="no release"):
        store.promote(name)


def test_a_taken_or_unfit_name_is_not_sealed(store: ReleaseStore) -> None:
    name = sealed(store, 1)
    with store.draft() as folder:
        fill(folder)
        for unfit in (name, "latest", "../r20260101-000001-000001"):
            with pytest.raises(ReleaseError, match="taken or unfit"):
                store.seal(folder, manifest(unfit))
    assert leftovers(store.root) == []


def test_rollback_passes_over_a_damaged_release(store: ReleaseStore) -> None:
    first, second, third = (sealed(store, number) for number in (1, 2, 3))
    for name in (first, second, third):
        store.promote(name)
    damage(store, second)
    assert store.rollback() == first
    store.promote(third)
    damage(store, first)
    with pytest.raises(ReleaseError, match=r"no earlier release to go back to\. .*damaged"):
        store.rollback()
    assert store.current() == third


def remove(store: ReleaseStore, name: str) -> None:
    shutil.rmtree(store.path(name))


def scribble(store: ReleaseStore, _: str) -> None:
    (store.root / "current").write_bytes(b"\xff\x00../../etc\n")


def empty(store: ReleaseStore, _: str) -> None:
    (store.root / "current").write_text("")


@pytest.mark.parametrize(
    ("harm", "serves", "says"),
    [
        (damage, 0, "damaged"),
        (remove, 0, "no release"),
        (scribble, 2, "current: missing or damaged"),
        (empty, 2, "current: missing or damaged"),
        (lambda store, _: (store.root / "current").unlink(), 2, "current: missing or damaged"),
    ],
)
def test_a_bad_current_falls_back_to_the_last_good_one(
    store: ReleaseStore, harm: Callable[[ReleaseStore, str], None], serves: int, says: str
) -> None:
    names = [sealed(store, number) for number in (1, 2, 3, 4)]
    for name in names[:3]:
        store.promote(name)
    damage(store, names[1])
    harm(store, names[2])
    found, warning = store.open_current()
    assert found == names[serves]
    assert warning is not None
    assert says in warning
    assert f"Serving {found}, the last good one" in warning
    store.promote(names[3])
    assert store.open_current() == (names[3], None)


def test_a_release_that_was_rolled_back_is_the_last_resort(store: ReleaseStore) -> None:
    first, second, third = (sealed(store, number) for number in (1, 2, 3))
    for name in (first, second, third):
        store.promote(name)
    store.rollback()
    damage(store, second)
    assert store.open_current().name == first
    damage(store, first)
    assert store.open_current().name == third
    damage(store, third)
    with pytest.raises(ReleaseError, match="no promoted release is sound"):
        store.open_current()


def test_a_torn_history_is_read_as_far_as_it_goes(store: ReleaseStore) -> None:
    first, second, third = (sealed(store, number) for number in (1, 2, 3))
    store.promote(first)
    store.promote(second)
    with (store.root / "history.jsonl").open("a") as file:
        file.write('{"at": "2026-01-0')
    store.promote(third)
    assert [store.rollback(), store.rollback()] == [second, first]
