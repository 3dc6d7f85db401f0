"""The definitions that come with otif, each against a server that answers as the real one is documented to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.checks.verdict import Verdict
from pipelines.errors import PullError
from pipelines.pull import run as pull_run
from pipelines.pull.client import retry_after, seconds_to_window
from pipelines.pull.definition import Since, load_definition
from pipelines.pull.feeds import READY, Feed, feeds_of, ready_definitions
from pipelines.pull.run import pull
from storage.contracts import EVENT_TABLES
from storage.duck import connect
from storage.settings import Settings
from tests.pipelines.pull.shop import Shop, order, serving

LABEL = {
    "label_id": "se-9", "status": "completed", "shipment_id": "se-1", "external_order_id": "#100123", "voided": False,
    "tracking_number": "1Z932", "ship_date": "2026-05-09T00:00:00Z", "created_at": "2026-05-01T21:06:39Z",
    "shipment_cost": {"currency": "usd", "amount": 95.41}, "is_return_label": False, "carrier_code": "ups",
    "service_code": "ups_ground",
}  # fmt: skip
ANSWERS: dict[str, dict[str, Any]] = {
    "shopify_orders": {"": {"orders": [order(1)]}},
    "shopify_orders_graphql": {"": {"data": {"orders": {
        "pageInfo": {"hasNextPage": False, "endCursor": "x"},
        "nodes": [{
            "id": "gid://shopify/Order/1", "legacyResourceId": "1", "name": "A1", "createdAt": "2026-05-01T10:00:00Z",
            "processedAt": "2026-05-01T10:00:00Z", "updatedAt": "2026-05-01T10:00:00Z", "cancelledAt": None,
            "displayFinancialStatus": "PAID", "currencyCode": "USD",
            "lineItems": {"pageInfo": {"hasNextPage": False}, "nodes": [{
                "id": "gid://shopify/LineItem/2", "sku": "MUG", "quantity": 1, "currentQuantity": 1,
                "requiresShipping": True, "originalUnitPriceSet": {"shopMoney": {"amount": "9.00"}},
            }]},
        }],
    }}}},
    "woocommerce_orders": {"": [{
        "id": 7, "number": "7", "order_key": "wc_1", "status": "processing", "currency": "USD",
        "date_created_gmt": "2026-05-01T10:00:00", "date_modified_gmt": "2026-05-01T11:00:00",
        "date_created": "2026-05-01T10:00:00", "date_modified": "2026-05-01T11:00:00",
        "line_items": [{"id": 1, "sku": "MUG", "quantity": 2, "total": "18.00", "price": 9}],
    }]},
    "bigcommerce_orders": {
        "": [{
            "id": 7, "status_id": 11, "date_created": "Fri, 01 May 2026 10:00:00 +0000", "order_source": "www",
            "date_modified": "Fri, 01 May 2026 11:00:00 +0000", "items_total": 1, "currency_code": "USD",
            "products": {"url": "https://api.bigcommerce.com/stores/x/v2/orders/7/products"},
        }],
        "/orders/7/products": [{
            "id": 1, "order_id": 7, "product_id": 3, "sku": "MUG", "quantity": 2, "quantity_shipped": 0,
            "base_price": "9.00", "price_ex_tax": "9.00",
        }],
        "/orders/7/shipments": None,
    },
    "shipstation_v1_orders": {"": {"page": 1, "pages": 1, "total": 1, "orders": [{
        "orderId": 9, "orderNumber": "#100123", "orderKey": "k", "orderStatus": "awaiting_shipment",
        "orderDate": "2026-05-01T08:00:00.0000000", "createDate": "2026-05-01T08:00:00.0000000",
        "modifyDate": "2026-05-01T09:00:00.0000000",
        "items": [{"orderItemId": 1, "lineItemKey": "1", "sku": "MUG", "quantity": 1, "unitPrice": 9.0}],
    }]}},
    "shipstation_v1_shipments": {"": {"page": 1, "pages": 1, "total": 1, "shipments": [{
        "shipmentId": 3, "orderId": 9, "orderKey": "k", "orderNumber": "#100123", "shipDate": "2026-05-01",
        "createDate": "2026-05-01T08:53:24.2100000", "trackingNumber": "9400", "carrierCode": "stamps_com",
        "serviceCode": "usps_priority", "shipmentCost": 7.21, "voided": False, "isReturnLabel": False,
        "shipmentItems": [{"orderItemId": 1, "lineItemKey": "1", "sku": "MUG", "quantity": 1}],
    }]}},
    "shipstation_v2_labels": {"": {"labels": [LABEL], "total": 1, "page": 1, "pages": 1}},
    "shipengine_labels": {"": {"labels": [LABEL], "total": 1, "page": 1, "pages": 1}},
    "aftership_trackings": {"": {"meta": {"code": 200}, "data": {
        "pagination": {"total": 1, "next_cursor": "", "has_next_page": False},
        "trackings": [{
            "id": "as1", "tracking_number": "9405", "slug": "usps", "tag": "InTransit", "subtag": "InTransit_001",
            "order_number": "#100123", "updated_at": "2026-05-02T10:00:00+00:00", "destination_state": "TX",
            "created_at": "2026-05-01T10:00:00+00:00",
            "checkpoints": [{
                "slug": "usps", "checkpoint_time": "2026-05-01T18:00:00-05:00", "tag": "InTransit",
                "subtag": "InTransit_003", "message": "Accepted",
            }],
        }],
    }}},
    "easypost_trackers": {"": {"has_more": False, "trackers": [{
        "id": "trk_1", "object": "Tracker", "mode": "production", "tracking_code": "9400", "status": "in_transit",
        "carrier": "USPS", "created_at": "2026-05-01T10:00:00Z", "updated_at": "2026-05-01T12:00:00Z",
        "tracking_details": [{
            "object": "TrackingDetail", "message": "ACCEPTANCE", "status": "in_transit",
            "datetime": "2026-05-01T11:00:00Z", "source": "USPS",
            "tracking_location": {"city": "AUSTIN", "state": "TX", "zip": "78701", "country": "US"},
        }],
    }]}},
    "loop_returns": {"": {"nextPageUrl": None, "returns": [{
        "id": "6042537", "state": "open", "created_at": "2026-05-01T16:07:31+00:00", "order_id": "26442641",
        "order_name": "#90507", "provider_order_id": "2773679177825", "currency": "USD", "refund": "0.00",
        "line_items": [{
            "line_item_id": 1, "provider_line_item_id": "5896375795809", "sku": "AU1022", "return_reason": "Too big",
            "refund": "10.00", "price": "10.00",
        }],
    }]}},
}  # fmt: skip
"""Definition → path behind the address → answer; None = 204 without content."""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    ingest = pull_run.ingest
    monkeypatch.setattr(pull_run, "ingest", lambda *args, **rest: ingest(*args, judge=lambda *_: Verdict(), **rest))
    (tmp_path / "otif.toml").write_text('[company]\nname = "Pull"\n', encoding="utf-8")
    return Settings.load(tmp_path)


@pytest.fixture
def shop() -> Iterator[Shop]:
    with serving(Shop([])) as running:
        yield running


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_a_definition_reads_what_its_api_answers(
    settings: Settings, shop: Shop, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("OTIF_FEED_X", "user:password")
    definition = load_definition(READY / f"{name}.yml")
    base = definition.url.split("/orders")[0] if definition.details else definition.url
    here = {
        "url": definition.url.replace(base, f"{shop.address}/api"),
        "details": tuple(address.replace(base, f"{shop.address}/api") for address in definition.details),
        "seconds_between": 0,
    }

    def answer(path: str, _: dict[str, str]) -> tuple[int, dict[str, str], object]:
        rest = path.removeprefix("/api").removesuffix("/orders")
        body = ANSWERS[name][rest if rest in ANSWERS[name] else ""]
        return (200, {}, body) if body is not None else (204, {}, b"")

    shop.answer = answer  # type: ignore[method-assign]
    report = pull(settings, Feed("x", definition.model_copy(update=here), {}, None, 15), sleep=lambda _: None)
    assert report.status == "landed"
    assert report.watermark is not None
    assert report.watermark.date().isoformat() == ("2026-03-02" if name == "shopify_orders" else report_day(name))
    connection = connect(settings.database, read_only=True)
    rejects = connection.execute("select reason from landing.rejects").fetchall()
    events = sum(
        connection.execute(f"select count(*) from {table.table}").fetchall()[0][0] for table in EVENT_TABLES.values()
    )
    connection.close()
    assert rejects == []
    assert events > 0


def report_day(name: str) -> str:
    return "2026-05-02" if name == "aftership_trackings" else "2026-05-01"


def test_every_definition_that_comes_with_otif_is_tried() -> None:
    assert ready_definitions() == sorted(ANSWERS)


def test_a_workspace_may_use_a_definition_twice_and_bring_its_own(tmp_path: Path) -> None:
    (tmp_path / "feeds").mkdir()
    (tmp_path / "feeds" / "own.yml").write_text("source: canonical\nurl: https://x.example/{what}\n", encoding="utf-8")
    (tmp_path / "otif.toml").write_text(
        "[feeds.us]\nuse = 'shopify_orders'\nshop = 'us.example'\nsince = 2026-01-01\nevery_minutes = 5\n"
        "[feeds.eu-shop]\nuse = 'shopify_orders'\n[feeds.own]\nwhat = 'orders'\n",
        encoding="utf-8",
    )
    us, eu, own = feeds_of(Settings.load(tmp_path))
    assert us.address == "https://us.example/admin/api/2026-07/orders.json"
    assert (us.since, us.every_minutes) == (datetime(2026, 1, 1, tzinfo=UTC).date(), 5)
    assert (own.address, eu.secret_name) == ("https://x.example/orders", "OTIF_FEED_EU_SHOP")
    with pytest.raises(PullError, match=r"\[feeds.eu-shop\] in otif.toml: shop is not given"):
        _ = eu.address


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("source: shopify\n", "url: Field required"),
        ("source: shopify\nurl: ftp://x\n", "no http.s. address"),
        ("source: shopify\nurl: https://x\npaging: {kind: page}\n", "paging by page needs into and size"),
        ("source: shopify\nurl: https://x\nauth: {kind: header}\n", "`header` is needed"),
        ("source: shopify\nurl: https://x\npages: 3\n", "pages: Extra inputs"),
        ("source: [\n", "not valid YAML"),
    ],
)
def test_a_faulty_definition_says_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "x.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PullError, match=words):
        load_definition(path)


def test_an_unknown_definition_names_those_there_are(tmp_path: Path) -> None:
    (tmp_path / "otif.toml").write_text("[feeds.nobody]\n", encoding="utf-8")
    with pytest.raises(PullError, match=r"no definition 'nobody'; expected .*nobody.yml or one of aftership_trackings"):
        feeds_of(Settings.load(tmp_path))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({"format": "iso"}, "2026-05-01T10:00:00+00:00"),
        ({"format": "epoch"}, "1777629600"),
        ({"format": "%Y-%m-%d %H:%M:%S", "zone": "America/Los_Angeles"}, "2026-05-01 03:00:00"),
        ({"template": "changed:>='{since}'"}, "changed:>='2026-05-01T10:00:00+00:00'"),
    ],
)
def test_an_instant_is_written_as_the_server_wants_it(written: dict[str, str], read: str) -> None:
    since = Since.model_validate({"into": "query.x", "field": "x", **written})
    assert since.written(datetime(2026, 5, 1, 10, tzinfo=UTC)) == read


@pytest.mark.parametrize(
    "value",
    ["2026-05-01T10:00:00Z", "2026-05-01T03:00:00", "Fri, 01 May 2026 10:00:00 +0000", 1777629600, "1777629600000"],
)
def test_a_stamp_is_read_however_it_is_written(value: object) -> None:
    since = Since.model_validate({"into": "query.x", "field": "x", "zone": "America/Los_Angeles"})
    assert since.read(value) == datetime(2026, 5, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("value", [None, "", "soon", [], 10**30])
def test_what_is_no_stamp_is_none(value: object) -> None:
    assert Since.model_validate({"into": "query.x", "field": "x"}).read(value) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"x-shopify-shop-api-call-limit": "12/40"}, 0),
        ({"x-shopify-shop-api-call-limit": "40/40"}, 1),
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": "21"}, 21),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1777629630"}, 30),
        ({"x-rate-limit-requests-left": "0", "x-rate-limit-time-reset-ms": "1500"}, 1.5),
        ({"ratelimit-remaining": "3", "ratelimit-reset": "9"}, 0),
        ({"x-rate-limit-remaining": "many"}, 0),
    ],
)
def test_servers_say_in_many_ways_when_there_are_more_requests(headers: dict[str, str], seconds: float) -> None:
    assert seconds_to_window(headers, now=1777629600) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"), [("7", 7), ("-1", 0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("later", None)]
)
def test_retry_after_is_a_number_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}) == seconds
