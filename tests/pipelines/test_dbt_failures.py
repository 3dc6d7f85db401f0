"""A failed build says which rule broke, where, and with which rows."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.dbt_failures import failure_in_words
from storage.duck import connect

TEST = {"unique_id": "test.otif.some_name.8d01f", "status": "fail", "message": "Got 1 result", "failures": 1}


def told(result: dict[str, Any], node: dict[str, Any] | None = None) -> str:
    with connect() as connection:
        return failure_in_words(result, node or {}, connection)


def test_a_broken_rule_of_a_seed_names_the_file_the_rule_and_the_row() -> None:
    node = {"attached_node": "seed.otif.sla_terms", "test_metadata": {"name": "holds", "kwargs": {"rules": ["x"]}}}
    sql = "select 'target between 0 and 1' as broken_rule, 'tpl_east' as party_id, 95 as target, null as source"
    assert told(TEST | {"compiled_code": sql}, node) == (
        "seeds/sla_terms.csv: expected target between 0 and 1; found party_id tpl_east, target 95"
    )


def test_a_value_out_of_its_list_names_column_and_list() -> None:
    node = {
        "attached_node": "seed.otif.nodes",
        "test_metadata": {
            "name": "accepted_values",
            "kwargs": {"column_name": "node_type", "values": ["own_dc", "tpl"]},
        },
    }
    sql = "select * from (values ('shed'), ('barn'), ('loft'), ('yard')) as found(value_field)"
    assert told(TEST | {"compiled_code": sql, "failures": 4}, node) == (
        "seeds/nodes.csv: expected accepted values of node_type: own_dc, tpl; "
        "found value_field shed; value_field barn; value_field loft and 1 more"
    )


def test_a_test_of_its_own_is_named() -> None:
    node = {"name": "assert_line_units_balance"}
    assert told(TEST | {"compiled_code": "select 'A' as order_id"}, node) == (
        "some_name: expected assert_line_units_balance; found order_id A"
    )


def test_an_unreadable_seed_names_file_line_and_value_without_the_reader_options() -> None:
    message = (
        "Runtime Error in seed sla_terms (somewhere/sla_terms.csv)\n  Conversion Error: CSV Error on Line: 4\n"
        '  Original Line: a,b,abc\n  Error when converting column "target"\n  \n  delimiter = , (Set By User)'
    )
    assert told({"unique_id": "seed.otif.sla_terms", "status": "error", "message": message}) == (
        "seeds/sla_terms.csv: Conversion Error: CSV Error on Line: 4; Original Line: a,b,abc; "
        'Error when converting column "target"'
    )


@pytest.mark.parametrize("status", ["error", "fail"])
def test_what_is_no_broken_rule_keeps_the_message_of_dbt(status: str) -> None:
    assert told({"unique_id": "model.otif.fct_orders", "status": status, "message": "Binder Error"}) == (
        "model.otif.fct_orders: Binder Error"
    )
