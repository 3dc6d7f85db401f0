"""What Larkfield Goods sells: 240 SKUs in eight categories, the same in every simulation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

SKUS_PER_CATEGORY: Final = 30
WHOLESALE_SKUS: Final = 72
WHOLESALE_PRICE_SHARE: Final = 0.56


@dataclass(frozen=True, slots=True)
class Category:
    """A product category.

    Attributes:
        name: Category id.
        code: Three letters in the SKU.
        nouns: Things sold.
        low: Lowest usual price, dollars.
        high: Highest usual price, dollars.
        season: Demand factor by quarter of the year (Q1 … Q4).
    """

    name: str
    code: str
    nouns: tuple[str, ...]
    low: float
    high: float
    season: tuple[float, float, float, float]


CATEGORIES: Final = (
    Category(
        "cookware", "CKW", ("Skillet", "Saucepan", "Stock Pot", "Griddle", "Roaster"), 24, 120, (1, 0.9, 0.9, 1.4)
    ),
    Category("tableware", "TBW", ("Plate Set", "Bowl Set", "Mug Set", "Carafe", "Platter"), 18, 75, (0.9, 1, 0.9, 1.3)),
    Category("kitchen_tools", "KTT", ("Whisk", "Ladle", "Peeler", "Tongs", "Grater"), 7, 28, (1, 1, 1, 1.2)),
    Category("storage", "STO", ("Canister", "Basket", "Bin", "Jar Set", "Bread Box"), 12, 48, (1.3, 1, 1, 0.9)),
    Category("bath", "BTH", ("Bath Towel", "Hand Towel", "Bath Mat", "Robe", "Soap Dish"), 9, 65, (1, 1, 1, 1)),
    Category("bedding", "BED", ("Sheet Set", "Duvet", "Pillow", "Throw", "Quilt"), 25, 140, (1, 0.9, 1, 1.2)),
    Category(
        "lighting", "LGT", ("Table Lamp", "Lantern", "Candle", "Sconce", "Night Light"), 14, 95, (0.9, 0.9, 1, 1.3)
    ),
    Category(
        "garden", "GRD", ("Planter", "Watering Can", "Hose Reel", "Trowel", "Bird Bath"), 11, 60, (0.7, 1.5, 1.2, 0.6)
    ),
)
_FINISHES: Final = ("Linen", "Slate", "Oak", "Copper", "Sage", "Ivory")


@dataclass(frozen=True, slots=True)
class Sku:
    """A stock keeping unit. Money in cents.

    Attributes:
        index: Position in the catalogue.
        code: The SKU.
        name: Title shown to customers.
        category: Category.
        price: Consumer price.
        wholesale_price: Price to retailers.
        cost: Unit cost.
        pack: Units per case.
        weight_kg: Weight of a unit.
        popularity: Share of consumer demand (sums to 1).
        is_wholesale: In the retailers' assortment.
    """

    index: int
    code: str
    name: str
    category: Category
    price: int
    wholesale_price: int
    cost: int
    pack: int
    weight_kg: float
    popularity: float
    is_wholesale: bool


def _catalogue() -> tuple[Sku, ...]:
    generator = np.random.default_rng(20260518)
    count = len(CATEGORIES) * SKUS_PER_CATEGORY
    rank = generator.permutation(count)
    popularity = 1.0 / (rank + 6.0) ** 0.8
    popularity = popularity / popularity.sum()
    rows = []
    for index in range(count):
        category = CATEGORIES[index // SKUS_PER_CATEGORY]
        number = index % SKUS_PER_CATEGORY
        share = float(generator.random())
        price = round(category.low + (category.high - category.low) * share**1.6) * 100 - 1
        rows.append(
            Sku(
                index=index,
                code=f"LK-{category.code}-{101 + number}",
                name=f"{_FINISHES[number // len(category.nouns)]} {category.nouns[number % len(category.nouns)]}",
                category=category,
                price=price,
                wholesale_price=round(price * WHOLESALE_PRICE_SHARE),
                cost=round(price * float(generator.uniform(0.30, 0.42))),
                pack=int(generator.choice([4, 6, 6, 8, 12])),
                weight_kg=round(float(generator.uniform(0.2, 4.5)), 2),
                popularity=float(popularity[index]),
                is_wholesale=bool(rank[index] < WHOLESALE_SKUS),
            )
        )
    return tuple(rows)


SKUS: Final = _catalogue()
BY_POPULARITY: Final = tuple(sorted((s.index for s in SKUS), key=lambda index: -SKUS[index].popularity))
WHOLESALE_ASSORTMENT: Final = tuple(index for index in BY_POPULARITY if SKUS[index].is_wholesale)
