"""Named SQL: parameters, kinds, and files that do not fit their class."""

import pytest

from haulier.ledger.queryfile import One, QueryFile, read_queries

FILE = """-- name: first :one
-- A sentence with a :colon that is no parameter.
select :a::int + :b, ':' || :a;

-- name: second :exec
delete from things where at > '10:00:05' and id = :id;
"""


def test_a_file_is_split_by_name_and_kind():
    assert {name: kind for name, (kind, _) in read_queries(FILE).items()} == {"first": "one", "second": "exec"}


def test_parameters_are_numbered_once_and_casts_are_left_alone():
    query = One("first", read_queries(FILE)["first"][1])
    assert query.sql == "select $1::int + $2, ':' || $1"
    assert query.arguments({"b": 2, "a": 1}) == [1, 2]


def test_a_time_is_not_a_parameter():
    assert One("second", read_queries(FILE)["second"][1]).parameters == ["id"]


def test_missing_and_unknown_arguments_are_refused():
    query = One("first", read_queries(FILE)["first"][1])
    with pytest.raises(TypeError, match="first takes"):
        query.arguments({"a": 1, "c": 2})


def test_a_class_that_lists_other_queries_than_its_file_is_refused():
    with pytest.raises(TypeError, match="do not list the same"):

        class Wrong(QueryFile, file="jobs.sql"):
            job_by_id: One


def test_two_queries_of_one_name_are_refused():
    with pytest.raises(TypeError, match="two queries"):
        read_queries(FILE + FILE)
