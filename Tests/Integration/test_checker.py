"""The checker against histories known to be good and bad, and against brute force."""

import random
import time
import unittest

from history import ABSENT, FAIL, OK, UNKNOWN, Operation
from linearizable import check


def put(value, began, ended, answer=OK, **more):
    return Operation("put", "k", value, began=began, ended=ended, answer=answer, **more)


def delete(began, ended, answer=OK):
    return Operation("delete", "k", began=began, ended=ended, answer=answer)


def read(value, began, ended):
    return Operation("read", "k", value, began=began, ended=ended, answer=OK)


def page(began, ended, after="", upto=None, **seen):
    return Operation(
        "list", seen=seen, after=after, upto=upto, began=began, ended=ended, answer=OK
    )


class KnownHistories(unittest.TestCase):
    def good(self, *operations):
        self.assertEqual([str(found) for found in check(operations)], [])

    def bad(self, *operations, at=None):
        """Fails, and finds fault with the operation `at` (the last one unless said)."""
        found = check(operations)
        self.assertEqual(len(found), 1, "this history can't be explained")
        culprit, expected = found[0].operation, operations[-1 if at is None else at]
        self.assertEqual(culprit.began, expected.began)
        self.assertIn("key k", str(found[0]))

    def test_sequential(self):
        """what a single client sees of a register"""
        self.good(
            read(ABSENT, 0, 1), put("a", 2, 3), read("a", 4, 5), put("b", 6, 7), read("b", 8, 9),
            delete(10, 11), read(ABSENT, 12, 13), put("c", 14, 15), read("c", 16, 17),
        )
        self.good()

    def test_stale_read(self):
        """a read of what was overwritten before it began"""
        self.bad(put("a", 0, 1), put("b", 2, 3), read("a", 4, 5))
        self.good(put("a", 0, 1), put("b", 2, 6), read("a", 4, 5))

    def test_reads_go_back(self):
        """new, then old, while the write is still going on"""
        self.bad(put("a", 0, 1), read("b", 4, 5), read("a", 6, 7), put("b", 2, 9), at=2)
        self.good(put("a", 0, 1), read("a", 4, 5), read("b", 6, 7), put("b", 2, 9))

    def test_lost_write(self):
        """an acknowledged write is not there"""
        self.bad(put("a", 0, 1), read(ABSENT, 2, 3))
        self.bad(put("a", 0, 1), put("b", 2, 3), read("b", 4, 5), read("a", 6, 7))

    def test_invented_value(self):
        """a value that nobody wrote, or not yet"""
        self.bad(put("a", 0, 1), read("x", 2, 3))
        self.bad(read("a", 0, 1), put("a", 2, 3), at=0)
        self.bad(read("a", 0, 1), put("a", 2, 3, UNKNOWN), at=0)

    def test_resurrected(self):
        """a deleted object is back"""
        self.bad(put("a", 0, 1), delete(2, 3), read("a", 4, 5))
        self.bad(put("a", 0, 1), delete(2, 3), read(ABSENT, 4, 5), read("a", 6, 7))
        self.good(put("a", 0, 1), delete(2, 6), read("a", 4, 5), read(ABSENT, 7, 8))

    def test_refused_write_took_effect(self):
        """a write that failed for certain is seen"""
        self.bad(put("a", 0, 1), put("b", 2, 3, FAIL), read("b", 4, 5))
        self.bad(put("a", 0, 1), delete(2, 3, FAIL), read(ABSENT, 4, 5))
        self.good(put("a", 0, 1), put("b", 2, 3, FAIL), read("a", 4, 5))

    def test_write_in_doubt(self):
        """a write without an answer may happen late, or never, but once"""
        doubt = put("b", 2, 3, UNKNOWN)
        self.good(put("a", 0, 1), doubt, read("a", 4, 5))
        self.good(put("a", 0, 1), doubt, read("a", 4, 5), read("b", 6, 7), read("b", 8, 9))
        self.bad(put("a", 0, 1), doubt, read("b", 4, 5), read("a", 6, 7))
        self.bad(put("a", 0, 1), doubt, read("b", 4, 5), put("c", 6, 7), read("b", 8, 9))

    def test_delete_in_doubt(self):
        """so may a delete: one explains one absence"""
        doubt = delete(2, 3, UNKNOWN)
        self.good(put("a", 0, 1), doubt, read("a", 4, 5), read(ABSENT, 6, 7))
        self.bad(
            put("a", 0, 1), doubt, read(ABSENT, 4, 5), put("b", 6, 7), read(ABSENT, 8, 9)
        )
        self.good(
            put("a", 0, 1), doubt, delete(2, 3, UNKNOWN), read(ABSENT, 4, 5), put("b", 6, 7),
            read(ABSENT, 8, 9),
        )
        # It can't have happened before it was asked for.
        self.bad(put("a", 0, 1), read(ABSENT, 2, 3), delete(4, 5, UNKNOWN), at=1)

    def test_put_if_absent(self):
        """of two, one wins"""
        self.good(put("a", 0, 5, if_absent=True), put("b", 1, 4, if_absent=True, refused=True))
        self.bad(put("a", 0, 1, if_absent=True), put("b", 2, 3, if_absent=True))
        self.bad(put("a", 0, 1, if_absent=True, refused=True))
        self.bad(
            put("a", 0, 1), delete(2, 3), put("b", 4, 5, if_absent=True, refused=True)
        )
        self.good(put("a", 0, 1), delete(2, 6), put("b", 4, 5, if_absent=True, refused=True))

    def test_put_if_match(self):
        """compare and set on the ETag: an update is never lost"""
        first = put("a", 0, 1)
        self.good(first, put("b", 2, 3, if_match="a"), put("c", 4, 5, if_match="b"))
        self.good(first, put("b", 2, 3, if_match="a"), put("c", 4, 5, if_match="a", refused=True))
        self.bad(first, put("b", 2, 3, if_match="a"), put("c", 2, 3, if_match="a"))
        self.bad(first, put("c", 4, 5, if_match="a", refused=True))
        # The condition held, so the write in doubt that it names has happened.
        doubt = put("b", 2, 3, UNKNOWN)
        self.good(first, doubt, put("c", 4, 5, if_match="b"))
        self.bad(first, doubt, put("c", 4, 5, if_match="b"), read("b", 6, 7))
        self.good(first, doubt, put("c", 4, 5, if_match="b", refused=True))
        self.good(first, doubt, put("c", 4, 5, if_match="a", refused=True))

    def test_doubt_behind_doubt(self):
        """writes in doubt that explain each other"""
        first = put("a", 0, 1)
        self.good(
            first, put("b", 2, 3, UNKNOWN), put("c", 2, 3, UNKNOWN, if_match="b"), read("c", 4, 5)
        )
        self.bad(
            first, put("b", 2, 3, FAIL), put("c", 2, 3, UNKNOWN, if_match="b"), read("c", 4, 5),
            at=2,
        )
        self.good(
            first, delete(2, 3, UNKNOWN), put("b", 2, 3, UNKNOWN, if_absent=True),
            put("c", 4, 5, if_match="a", refused=True),
        )
        self.good(
            put("b", 0, 1, UNKNOWN), put("c", 0, 1, UNKNOWN, if_match="b"),
            put("d", 0, 1, UNKNOWN, if_match="c"), put("e", 0, 1, UNKNOWN, if_match="d"),
            read("e", 2, 3),
        )

    def test_listing(self):
        """a listing has what was acknowledged before it began, and nothing deleted by then"""
        self.good(page(0, 1), put("a", 2, 3), page(4, 5, k="a"), delete(6, 7), page(8, 9))
        self.bad(put("a", 0, 1), page(2, 3))
        self.bad(put("a", 0, 1), delete(2, 3), page(4, 5, k="a"))
        self.bad(put("a", 0, 1), put("b", 2, 3), page(4, 5, k="a"))
        self.bad(page(0, 1, k="a"))
        # What overlaps may be seen or not.
        self.good(put("a", 0, 3), page(1, 2))
        self.good(put("a", 0, 3), page(1, 2, k="a"))
        self.bad(put("a", 0, 5), page(1, 2, k="a"), page(3, 4))

    def test_listing_pages(self):
        """a page speaks for its span only"""
        self.good(put("a", 0, 1), page(2, 3, upto="j"), page(4, 5, after="j", k="a"))
        self.good(put("a", 0, 1), page(2, 3, after="k"))
        self.bad(put("a", 0, 1), page(2, 3, upto="k"))
        self.bad(put("a", 0, 1), page(2, 3, after="j", upto="l"))

    def test_same_value_twice(self):
        """values must tell writes apart"""
        with self.assertRaises(ValueError):
            check([put("a", 0, 1), put("a", 2, 3)])


# Brute force: every order that time allows, every choice of what in doubt took effect.


def explained(operations, state=ABSENT):
    """By definition; exponential."""
    waiting = [o for o in operations if o.answer == OK]
    doubt = [o for o in operations if o.answer == UNKNOWN and o.kind in ("put", "delete")]
    if not waiting:
        return True
    first_end = min(operation.ended for operation in waiting)
    for operation in waiting + doubt:
        if operation.began <= first_end:
            worked, after = effect(operation, state)
            if worked and explained([o for o in operations if o is not operation], after):
                return True
    return False


def effect(operation, state):
    if operation.kind == "read":
        return state == operation.value, state
    if operation.kind == "delete":
        return True, ABSENT
    holds = True
    if operation.if_absent:
        holds = state is ABSENT
    elif operation.if_match:
        if state is ABSENT:
            return False, state
        holds = state == operation.if_match
    if operation.refused:
        return not holds, state
    return holds, operation.value if holds else state


def random_history(random, count):
    """Answers of a true register, some of them changed: about half can be explained."""
    operations, state = [], ABSENT
    for number in range(count):
        middle = number * 10
        began = middle - random.randrange(25)
        times = dict(began=began, ended=max(began, middle) + random.randrange(25))
        known = [f"v{n}" for n in range(number + 1)]
        kind = random.randrange(7)
        if kind < 3:
            made = read(state, **times)
            if random.random() < 0.15:
                made.value = random.choice([*known, ABSENT])
        elif kind == 3:
            made, state = delete(**times), ABSENT
        else:
            made = put(f"v{number}", **times)
            if kind == 5:
                made.if_absent = True
            elif kind == 6:
                made.if_match = state if state and random.random() < 0.6 else random.choice(known)
            worked, after = effect(made, state)
            if not worked and made.if_match and state is ABSENT:
                made = read(ABSENT, **times)
            else:
                made.refused = not worked
                state = after if worked else state
            if random.random() < 0.1 and made.kind == "put":
                made.refused = not made.refused and (made.if_absent or bool(made.if_match))
        if made.kind != "read" and random.random() < 0.3:
            made.answer, made.refused = UNKNOWN, False
            if random.random() < 0.3:
                state = random.choice([state, *known])
        operations.append(made)
    return operations


class BruteForce(unittest.TestCase):
    def test_random_histories(self):
        """the checker says what the definition says, on random small histories"""
        verdicts = {True: 0, False: 0}
        for seed in range(6000):
            operations = random_history(random.Random(seed), 2 + seed % 7)
            expected = explained(operations)
            verdicts[expected] += 1
            with self.subTest(seed=seed):
                told = "\n".join(map(str, operations))
                self.assertEqual(check(operations) == [], expected, told)
        self.assertGreater(min(verdicts.values()), 1000, verdicts)


class Speed(unittest.TestCase):
    def test_twenty_thousand(self):
        """twenty thousand operations of ten clients, with faults, take seconds"""
        operations = busy_history(random.Random(1), 20_000, keys=12, clients=10)
        began = time.process_time()
        self.assertEqual([str(found) for found in check(operations)], [])
        self.assertLess(time.process_time() - began, 30)
        # And one wrong answer among them is found.
        reads = [o for o in operations if o.kind == "read" and o.value]
        wrong = reads[len(reads) // 2]
        stale = next(
            o.value for o in operations
            if o.kind == "put" and o.key == wrong.key and o.answer == OK and not o.refused
        )
        self.assertNotEqual(wrong.value, stale)
        wrong.value = stale
        self.assertEqual([found.key for found in check(operations)], [wrong.key])


def busy_history(random, count, keys, clients):
    """A true store under load: every few hundred operations half a second of answers is lost."""
    free = [0] * clients
    state, operations, late = {}, [], []
    for number in range(count):
        client = min(range(clients), key=free.__getitem__)
        began = free[client]
        took = random.randrange(1, 40)
        lost = number % 700 > 600 and random.random() < 0.5
        free[client] = began + took + random.randrange(5)
        kind = random.choice(["put", "put", "read", "read", "delete", "absent", "match", "list"])
        operations.append((began, took, lost, kind, f"k{random.randrange(keys)}", number))
    made = []
    points = [(o[0] + random.uniform(0, o[1]), o) for o in operations]
    for at, (began, took, lost, kind, key, number) in sorted(points, key=lambda p: p[0]):
        # Writes without an answer may happen much later.
        for item in [item for item in late if item[0] <= at]:
            late.remove(item)
            state[item[1].key] = item[1].value if item[1].kind == "put" else ABSENT
        now = state.get(key, ABSENT)
        times = dict(began=began, ended=began + took, client=f"{number}")
        if kind == "list":
            seen = {k: v for k, v in state.items() if v is not ABSENT}
            made.append(page(times["began"], times["ended"], **seen))
            continue
        operation = Operation("read", key, now, answer=OK, **times)
        if kind == "delete":
            operation = Operation("delete", key, answer=OK, **times)
        elif kind != "read":
            operation = Operation("put", key, f"v{number}", answer=OK, **times)
            operation.if_absent = kind == "absent"
            operation.if_match = now if kind == "match" else None
            operation.refused = kind == "absent" and now is not ABSENT
        if lost:
            operation.answer, operation.refused = UNKNOWN, False
            if operation.kind != "read" and not operation.if_absent and not operation.if_match:
                late.append((at + random.choice([0, 100, 5000]), operation))
        elif operation.kind != "read" and not operation.refused:
            state[key] = operation.value if operation.kind == "put" else ABSENT
        made.append(operation)
    return made


if __name__ == "__main__":
    unittest.main()
