"""A year of a wholesaler's X12 traffic in one file: seeded, of any size, written as partners' translators write it.

Orders come in, are acknowledged, go to a warehouse, are shipped and invoiced; every document is answered by a 997.
Interchanges differ in separators and line breaks; a few documents are faulty, as some always are.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Final

SEED: Final = 1_104
OWN_ID: Final = "LARKFIELD"
PARTNERS: Final = ("WMTEDI01", "TGTEDI01", "KOHLSEDI", "COSTCO01", "HOMEDEPO")
WAREHOUSE: Final = "DEPOT3PL"
MIX: Final = {"850": 18, "855": 15, "856": 15, "810": 16, "997": 25, "940": 3, "945": 3, "860": 2, "820": 1, "846": 2}
"""Kinds of interchanges out of a hundred: some orders go to a warehouse that reports by EDI, a few are changed."""

BATCH: Final = {"850": 25, "855": 25, "856": 20, "810": 25, "997": 12, "940": 6, "945": 6, "860": 2, "846": 1, "820": 1}
"""Mean number of sets in an interchange: partners send the orders of a night at once, a stock list alone."""

_INBOUND: Final = frozenset({"850", "860", "820", "945", "846"})
_GROUPS: Final = {
    "850": "PO",
    "855": "PR",
    "856": "SH",
    "810": "IN",
    "997": "FA",
    "940": "OW",
    "945": "SW",
    "860": "PC",
    "820": "RA",
    "846": "IB",
}
_STYLES: Final = (("*", ">", "~", "\n"), ("*", ">", "~", "\r\n"), ("*", ":", "~", ""), ("|", ">", "\n", ""))
_COLOURS: Final = ("SAGE", "OAK", "IVORY", "LINEN", "SLATE", "AMBER", "COAL", "RUST")
_THINGS: Final = ("TONGS", "SCONCE", "PEELER", "WHISK", "SOAP DISH", "DUVET SET", "TABLE LAMP", "STORAGE BIN")
_CITIES: Final = (
    "PHILADELPHIA*PA*19101",
    "LITTLE ROCK*AR*72201",
    "DALLAS*TX*75201",
    "RENO*NV*89501",
    "LOS ANGELES*CA*90001",
    "COLUMBUS*OH*43004",
)
_CARRIERS: Final = ("FDEG", "UPSN", "ODFL", "XPOL", "SAIA")
_REASONS: Final = ("IA", "IA", "IA", "IA", "IB", "IQ", "IR", "IS")


def write_traffic(path: Path, size: int, *, seed: int = SEED) -> int:
    """Write a file of at least so many bytes and return its size."""
    with path.open("wb") as handle:
        for interchange in traffic(seed=seed):
            handle.write(interchange.encode())
            if handle.tell() >= size:
                return handle.tell()
    return path.stat().st_size


def traffic(*, seed: int = SEED) -> Iterator[str]:
    """Yield interchanges without end."""
    dice = random.Random(seed)
    control = 0
    while True:
        control += 1
        yield _Interchange(dice, control).write(dice.choices(tuple(MIX), tuple(MIX.values()))[0])


class _Interchange:
    """Writes one interchange with one group."""

    def __init__(self, dice: random.Random, control: int) -> None:
        self._dice = dice
        self._control = control
        self._day = date(2026, 1, 1) + timedelta(days=control // 60 % 365)

    def write(self, code: str) -> str:
        dice = self._dice
        element, component, segment, line_break = dice.choices(_STYLES, (50, 20, 20, 10))[0]
        partner = WAREHOUSE if code in ("940", "945", "846") else dice.choice(PARTNERS)
        is_inbound = dice.random() < 0.5 if code == "997" else code in _INBOUND
        sender, receiver = (partner, OWN_ID) if is_inbound else (OWN_ID, partner)
        today, time = self._date(), f"{dice.randrange(24):02d}{dice.randrange(60):02d}"
        count = len(self._count(BATCH[code]))
        sets = []
        for number in range(1, count + 1):
            body = getattr(self, f"_{code}")()
            stated = len(body) + (2 if dice.random() > 0.001 else 3)
            sets += [f"ST*{code}*{number:04d}", *body, f"SE*{stated}*{number:04d}"]
        segments = [
            f"ISA*00*{'':10}*00*{'':10}*ZZ*{sender:15}*ZZ*{receiver:15}*{today[2:]}*{time}*U*00401*{self._control:09d}*0*P*>",
            f"GS*{_GROUPS[code]}*{sender}*{receiver}*{today}*{time}*{self._control}*X*004010VICS",
            *sets,
            f"GE*{count}*{self._control}",
            f"IEA*1*{self._control:09d}",
        ]
        text = "".join(part + "~" + line_break for part in segments)
        return text.translate(str.maketrans({"*": element, ">": component, "~": segment}))

    def _date(self, days: int = 0) -> str:
        return (self._day + timedelta(days=days)).strftime("%Y%m%d")

    def _order(self) -> str:
        return f"45{self._dice.randrange(10**8):08d}"

    def _goods(self) -> str:
        number = self._dice.randrange(900)
        return f"VN*LK-{number % 9:03d}-{number}*UP*850077{number:06d}"

    def _count(self, mean: float) -> range:
        return range(1, 2 + int(self._dice.expovariate(1 / (mean - 0.5)))) if mean > 1 else range(1, 2)

    def _850(self) -> list[str]:
        dice, store = self._dice, self._dice.randrange(9000)
        body = [
            f"BEG*00*SA*{self._order()}**{self._date()}",
            f"REF*DP*{store % 99:04d}",
            f"REF*IA*{dice.randrange(10**6)}",
            f"DTM*010*{self._date(9)}",
            f"DTM*037*{self._date(9)}",
            f"DTM*038*{self._date(11)}",
            f"DTM*064*{self._date(12)}",
            f"DTM*063*{self._date(14)}",
            f"DTM*001*{self._date(18)}",
            f"TD5*B*2*{dice.choice(_CARRIERS)}*M*COLLECT",
            f"N1*ST*REGIONAL DC {store}*92*{store:04d}",
            "N3*1200 COMMERCE PARKWAY",
            f"N4*{dice.choice(_CITIES)}*US",
        ]
        lines = self._count(9)
        for line in lines:
            price = dice.randrange(300, 20_000) / 100
            body += [
                f"PO1*{line}*{dice.randrange(1, 40)}*{dice.choice(('EA', 'CA'))}*{price:.2f}**{self._goods()}",
                f"PID*F****{dice.choice(_COLOURS)} {dice.choice(_THINGS)}",
                f"PO4*{dice.choice((1, 4, 6, 12))}",
            ]
        return [*body, f"CTT*{len(lines)}"]

    def _855(self) -> list[str]:
        dice = self._dice
        body = [f"BAK*00*AC*{self._order()}*{self._date()}", f"DTM*067*{self._date(9)}"]
        lines = self._count(9)
        for line in lines:
            units, reason = dice.randrange(4, 40), dice.choice(_REASONS)
            promised = units - 2 if reason == "IQ" else units
            body += [
                f"PO1*{line}*{units}*EA*{dice.randrange(300, 20_000) / 100:.2f}**{self._goods()}",
                f"ACK*{reason}*{promised}*EA*068*{self._date(dice.randrange(5, 12))}",
            ]
        return [*body, f"CTT*{len(lines)}"]

    def _856(self) -> list[str]:
        dice, shipment = self._dice, self._dice.randrange(10**8)
        goods: list[str] = []
        loops, units = 2, 0
        for carton in self._count(11):
            code = f"0085007{shipment % 10**6:06d}{carton:04d}"
            weighted = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(code))
            goods += [f"HL*{loops + 1}*2*P", f"MAN*GM*00{code}{-weighted % 10}"]
            count = dice.randrange(1, 13)
            goods += [
                f"HL*{loops + 2}*{loops + 1}*I",
                f"LIN*{(carton + 1) // 2:03d}*{self._goods()}",
                f"SN1*{(carton + 1) // 2:03d}*{count}*EA",
            ]
            loops += 2
            units += count
        return [
            f"BSN*00*SH{shipment:08d}*{self._date()}*1802*0001",
            "HL*1**S",
            f"TD1*CTN*{(loops - 2) // 2}****G*{loops * 9}*LB",
            f"TD5*B*2*{dice.choice(_CARRIERS)}*M",
            f"REF*BM*BOL{shipment:08d}",
            f"REF*CN*{dice.choice(_CARRIERS)}{shipment:010d}",
            f"DTM*011*{self._date()}*1744",
            f"DTM*017*{self._date(3)}",
            "N1*SF*LARKFIELD GOODS*91*DC_COLUMBUS",
            "N4*COLUMBUS*OH*43004*US",
            f"N1*ST*REGIONAL DC 0559*92*{dice.randrange(9999):04d}",
            f"N4*{dice.choice(_CITIES)}*US",
            "HL*2*1*O",
            f"PRF*{self._order()}***{self._date(-9)}",
            *goods,
            f"CTT*{loops}*{units}",
        ]

    def _810(self) -> list[str]:
        dice, number = self._dice, self._dice.randrange(10**8)
        body = [
            f"BIG*{self._date()}*INV{number:08d}*{self._date(-9)}*{self._order()}***DI",
            "REF*IA*48813",
            "N1*RE*LARKFIELD GOODS*92*1",
            "ITD*05*3*****30",
        ]
        cents = 0
        lines = self._count(9)
        for line in lines:
            units, price = dice.randrange(1, 40), dice.randrange(300, 20_000)
            cents += units * price
            body += [
                f"IT1*{line}*{units}*EA*{price / 100:.2f}**{self._goods()}",
                f"PID*F****{dice.choice(_COLOURS)} {dice.choice(_THINGS)}",
            ]
        return [*body, f"TDS*{cents - 1250}", "SAC*A*D240***1250", f"CTT*{len(lines)}"]

    def _997(self) -> list[str]:
        dice = self._dice
        code, answered = dice.choice((("PO", "850"), ("PR", "855"), ("SH", "856"), ("IN", "810")))
        count = len(self._count(12))
        body = [f"AK1*{code}*{dice.randrange(10**6)}"]
        refused = 0
        for number in range(1, count + 1):
            body.append(f"AK2*{answered}*{number:04d}")
            if dice.random() < 0.002:
                refused += 1
                body += ["AK3*PO1*14**8", "AK4*4*212*6*1O.50", "AK5*R*5"]
            else:
                body.append("AK5*A")
        status = "A" if not refused else "P" if refused < count else "R"
        return [*body, f"AK9*{status}*{count}*{count}*{count - refused}"]

    def _940(self) -> list[str]:
        dice, order = self._dice, self._order()
        body = [
            f"W05*N*{order}*{order}",
            f"N1*ST*REGIONAL DC*92*{dice.randrange(9999):04d}",
            f"N4*{dice.choice(_CITIES)}*US",
            f"G62*10*{self._date(4)}",
            f"W66*CC*M***{dice.choice(_CARRIERS)}",
        ]
        total = 0
        for line in self._count(9):
            units = dice.randrange(1, 40)
            total += units
            body += [f"LX*{line}", f"W01*{units}*EA**{self._goods()}", f"N9*LI*{line}"]
        return [*body, f"W76*{total}"]

    def _945(self) -> list[str]:
        dice, order = self._dice, self._order()
        body = [
            f"W06*F*{order}*{self._date()}*SH{dice.randrange(10**8):08d}**{order}",
            f"N1*ST*REGIONAL DC*92*{dice.randrange(9999):04d}",
            f"N4*{dice.choice(_CITIES)}*US",
            f"N9*BM*BOL{dice.randrange(10**8):08d}",
            f"G62*11*{self._date()}*8*1544",
            f"W27*M*{dice.choice(_CARRIERS)}*GROUND*CC",
        ]
        total = 0
        for line in self._count(9):
            units = dice.randrange(1, 40)
            shipped = units if dice.random() < 0.95 else units - 1
            total += shipped
            status = "CC" if shipped == units else "CP"
            body += [
                f"LX*{line}",
                f"W12*{status}*{units}*{shipped}*{units - shipped}*EA**{self._goods()}",
                f"N9*LI*{line}",
            ]
        return [*body, f"W03*{total}*{total * 2}*LB"]

    def _860(self) -> list[str]:
        dice = self._dice
        body = [f"BCH*04*SA*{self._order()}***{self._date(-3)}*****{self._date()}"]
        for line in self._count(3):
            price = dice.randrange(300, 9000) / 100
            body += [f"POC*{line}*QD*{dice.randrange(1, 40)}*{dice.randrange(1, 9)}*EA*{price:.2f}**{self._goods()}"]
        return body

    def _820(self) -> list[str]:
        dice = self._dice
        amounts = [dice.randrange(1000, 900_000) for _ in self._count(20)]
        accounts = "01*021000021*DA*1234567*1234567890**01*021000089*DA*7654321"
        return [
            f"BPR*C*{sum(amounts) / 100:.2f}*C*ACH*CCP*{accounts}*{self._date()}",
            f"TRN*1*{dice.randrange(10**9)}",
            "ENT*1",
            *(f"RMR*IV*INV{dice.randrange(10**8):08d}**{amount / 100:.2f}*{amount / 100:.2f}*0" for amount in amounts),
        ]

    def _846(self) -> list[str]:
        body = [f"BIA*00*SI*{self._control}*{self._date()}", "N1*WH*DEPOT*91*DC_COLUMBUS"]
        lines = self._count(40)
        for line in lines:
            body += [f"LIN*{line}*{self._goods()}", f"QTY*33*{self._dice.randrange(900)}*EA"]
        return [*body, f"CTT*{len(lines)}"]
