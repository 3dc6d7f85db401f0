"""Where Larkfield Goods ships to: states with their lane zone, clock, a city and a postal prefix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LANE_ZONES: Final = ("northeast", "midwest", "south", "west")


@dataclass(frozen=True, slots=True)
class State:
    """A ship-to state.

    Attributes:
        code: Postal code of the state.
        weight: Share of consumer orders (population, millions).
        lane_zone: Zone of the carrier lanes (census region).
        zone: IANA zone of the state's largest part.
        city: City that appears in tracking scans.
        postal_prefix: First three digits of its postal codes.
    """

    code: str
    weight: float
    lane_zone: str
    zone: str
    city: str
    postal_prefix: str


_ZONES: Final = {
    "E": "America/New_York",
    "C": "America/Chicago",
    "M": "America/Denver",
    "A": "America/Phoenix",
    "P": "America/Los_Angeles",
}

_ROWS: Final = {
    "northeast": """CT 3.6 E Hartford 061|MA 7.0 E Boston 021|ME 1.4 E Portland 041|NH 1.4 E Manchester 031
        NJ 9.3 E Newark 071|NY 19.6 E New York 100|PA 13.0 E Philadelphia 191|RI 1.1 E Providence 029
        VT 0.6 E Burlington 054""",
    "midwest": """IA 3.2 C Des Moines 503|IL 12.5 C Chicago 606|IN 6.9 E Indianapolis 462|KS 2.9 C Wichita 672
        MI 10.0 E Detroit 482|MN 5.7 C Minneapolis 554|MO 6.2 C Kansas City 641|ND 0.8 C Fargo 581
        NE 2.0 C Omaha 681|OH 11.8 E Columbus 432|SD 0.9 C Sioux Falls 571|WI 5.9 C Milwaukee 532""",
    "south": """AL 5.1 C Birmingham 352|AR 3.1 C Little Rock 722|DC 0.7 E Washington 200|DE 1.0 E Wilmington 198
        FL 22.6 E Miami 331|GA 11.0 E Atlanta 303|KY 4.5 E Louisville 402|LA 4.6 C New Orleans 701
        MD 6.2 E Baltimore 212|MS 2.9 C Jackson 392|NC 10.8 E Charlotte 282|OK 4.1 C Oklahoma City 731
        SC 5.4 E Charleston 294|TN 7.1 C Nashville 372|TX 30.5 C Dallas 752|VA 8.7 E Richmond 232
        WV 1.8 E Charleston 253""",
    "west": """AZ 7.4 A Phoenix 850|CA 39.0 P Los Angeles 900|CO 5.9 M Denver 802|ID 2.0 M Boise 837
        MT 1.1 M Billings 591|NM 2.1 M Albuquerque 871|NV 3.2 P Reno 895|OR 4.2 P Portland 972
        UT 3.4 M Salt Lake City 841|WA 7.8 P Seattle 981|WY 0.6 M Cheyenne 820""",
}


def _state(row: str, lane_zone: str) -> State:
    code, weight, zone, *city, prefix = row.split()
    return State(code, float(weight), lane_zone, _ZONES[zone], " ".join(city), prefix)


STATES: Final[tuple[State, ...]] = tuple(
    _state(row, lane_zone) for lane_zone, rows in _ROWS.items() for line in rows.splitlines() for row in line.split("|")
)
STATE_BY_CODE: Final[dict[str, State]] = {state.code: state for state in STATES}
