"""Interchanges tie out: envelopes, counts, control numbers, hash totals, SSCCs and the 997s that answer them."""

from __future__ import annotations

from collections import Counter

from pipelines.simulator.edi_sets import check_digit, sscc, upc

SETS = {"PO": "850", "PR": "855", "SH": "856", "IN": "810", "CD": "812", "FA": "997"}


def sets_of(interchange):
    """Yield the transaction sets of an interchange, ST to SE."""
    current = []
    for segment in interchange:
        if segment[0] == "ST":
            current = []
        current.append(segment)
        if segment[0] == "SE":
            yield current
            current = []


def sets_of_type(company, set_type):
    return [
        (interchange, body)
        for interchange in company.interchanges
        for body in sets_of(interchange)
        if body[0][1] == set_type
    ]


def test_envelopes_have_fixed_length_and_are_production(company):
    for _, text in company.texts("edi/*/*.edi.gz"):
        for line in text.splitlines():
            if line.startswith("ISA"):
                assert len(line) == 106
                assert line[-5:] == "*P*>~"


def test_counts_and_control_numbers_tie(company):
    assert len(company.interchanges) > 500
    for interchange in company.interchanges:
        isa, group, trailer, end = interchange[0], interchange[1], interchange[-2], interchange[-1]
        bodies = list(sets_of(interchange))
        assert (end[0], int(end[1]), end[2]) == ("IEA", 1, isa[13])
        assert (trailer[0], int(trailer[1]), trailer[2]) == ("GE", len(bodies), group[6])
        assert (isa[6].strip(), isa[8].strip()) == (group[2], group[3])
        for body in bodies:
            assert body[0][1] == SETS[group[1]]
            assert int(body[-1][1]) == len(body)
            assert body[-1][2] == body[0][2]


def test_control_numbers_are_used_once_between_two_partners(company):
    seen = Counter((i[1][2], i[1][3], i[0][13]) for i in company.interchanges)
    assert max(seen.values()) == 1


def test_all_sets_appear_in_their_direction(company):
    found = {(i[1][2] == "LARKFIELD", SETS[i[1][1]]) for i in company.interchanges}
    outbound = {(True, name) for name in ("855", "856", "810", "997")}
    assert found == outbound | {(False, name) for name in ("850", "812", "997")}


def test_line_counts_tie(company):
    for set_type, line in (("850", "PO1"), ("855", "PO1"), ("810", "IT1")):
        for _, body in sets_of_type(company, set_type):
            ctt = next(segment for segment in body if segment[0] == "CTT")
            assert int(ctt[1]) == sum(segment[0] == line for segment in body)


def test_an_invoice_total_is_the_sum_of_its_lines_in_cents(company):
    for _, body in sets_of_type(company, "810"):
        total = next(int(segment[1]) for segment in body if segment[0] == "TDS")
        lines = sum(int(s[2]) * round(float(s[4]) * 100) for s in body if s[0] == "IT1")
        assert total == lines


def test_an_adjustment_total_is_the_sum_of_its_reasons(company):
    for _, body in sets_of_type(company, "812"):
        header = next(segment for segment in body if segment[0] == "BCD")
        assert int(header[4]) == sum(int(segment[4]) for segment in body if segment[0] == "CDD")
        assert int(header[4]) > 0


def test_ship_notices_count_their_levels_and_units_and_point_to_parents(company):
    for _, body in sets_of_type(company, "856"):
        levels = [segment for segment in body if segment[0] == "HL"]
        ctt = next(segment for segment in body if segment[0] == "CTT")
        assert [int(level[1]) for level in levels] == list(range(1, int(ctt[1]) + 1))
        kinds = {level[1]: level[3] for level in levels}
        parents = {"O": "S", "P": "O", "I": "P"}
        assert all(kinds[level[2]] == parents[level[3]] for level in levels if level[3] != "S")
        assert int(ctt[2]) == sum(int(segment[2]) for segment in body if segment[0] == "SN1")
        cartons = next(int(segment[2]) for segment in body if segment[0] == "TD1")
        assert cartons == sum(kind == "P" for kind in kinds.values())


def test_serial_shipping_codes_are_unique_with_valid_check_digits(company):
    codes = [s[2] for _, body in sets_of_type(company, "856") for s in body if s[0] == "MAN"]
    assert len(set(codes)) == len(codes) > 100
    for code in codes:
        assert len(code) == 20
        digits = [int(digit) for digit in code[2:]]
        weighted = sum(digit * (3 if place % 2 == 0 else 1) for place, digit in enumerate(digits[:-1]))
        assert (weighted + digits[-1]) % 10 == 0


def test_codes_have_known_check_digits():
    assert check_digit("00614141123456789") == 0
    assert sscc(0) == "008500770000000003"
    assert upc(0) == "850077000003"


def test_every_functional_acknowledgement_answers_a_group_of_the_other_side(company):
    groups = {(i[1][2], i[1][3], i[1][1], i[1][6]): len(list(sets_of(i))) for i in company.interchanges}
    answers = sets_of_type(company, "997")
    for interchange, body in answers:
        header = next(segment for segment in body if segment[0] == "AK1")
        trailer = next(segment for segment in body if segment[0] == "AK9")
        count = groups[interchange[1][3], interchange[1][2], header[1], header[2]]
        assert int(trailer[2]) == int(trailer[3]) == count
        assert sum(segment[0] == "AK5" for segment in body) == count
    asked = sum(1 for i in company.interchanges if i[1][1] != "FA")
    assert 0.95 * asked < len(answers) <= asked


def test_what_the_ship_notice_says_is_what_the_node_shipped(company):
    partners = {"WMTEDI01": "walmart", "TGTEDI01": "target", "KOHLSEDI": "kohls", "KRGREDI1": "kroger"}
    told: Counter[tuple[str, str]] = Counter()
    for interchange, body in sets_of_type(company, "856"):
        number = next(segment[1] for segment in body if segment[0] == "PRF")
        for segment in body:
            if segment[0] == "SN1":
                told[f"{partners[interchange[1][3]]}-{number}", segment[1].lstrip("0")] += int(segment[2])
    left: Counter[tuple[str, str]] = Counter()
    for row in company.shipped:
        if row["order_number"] in company.purchase_orders:
            left[row["order_number"], row["order_line"]] += int(row["quantity_shipped"])
    assert all(left[key] == units for key, units in told.items())
    # Only the late partner's last notices are still to come.
    assert {key[0].split("-")[0] for key in left - told} <= {"kohls"}
    assert sum(told.values()) > 0.98 * sum(left.values())
