"""Decides whether a history is linearizable, key by key, listings included.

After Wing and Gong (1993) with Lowe's "just in time" order (2017): events are taken in order of
time, and a set of configurations is kept, each a state of the key and the pending operations that
have taken effect in it. When an operation answers, every configuration must have let it take
effect; those that can't die. If none is left, nothing explains the answer. Linearizability is local
(Herlihy and Wing 1990), so each key is checked by itself, and a page of a listing is one read of
each key in its span.

Writes in doubt would make this exponential: each may happen at any time or never. They are kept in
check by three observations. One whose value somebody saw did happen, before the first such sight
ended. The others of one kind are interchangeable, so a configuration counts how many it has used,
and takes the oldest. And they are used only where the next answer can't be explained without;
having used fewer is never worse, so such configurations replace the others.

A value is written once, so who overwrites one that is yet to be read is on a wrong path. That keeps
the search narrow, but it finds fault with the write and not with the read that came too late; so a
history that fails is checked again without, for the better message.
"""

from dataclasses import dataclass, replace

from history import ABSENT, FAIL, OK, UNKNOWN

# A value that nobody has seen or named: all such are one.
UNSEEN = "(a write in doubt)"
# More at once means that this check, or the load, is not what it should be.
CONFIGURATIONS_MAX = 200_000


class TooHard(Exception):
    """More configurations than are worth following: an error of the test, not a verdict."""


@dataclass
class Violation:
    key: str
    operation: object
    before: list
    states: list

    def __str__(self):
        states = ", ".join(sorted("nothing" if s is ABSENT else str(s)[:18] for s in self.states))
        lines = [f"key {self.key}: nothing explains", f"    {self.operation}"]
        lines += [f"  the key could hold: {states}", "  what went before on this key:"]
        lines += [f"    {operation}" for operation in self.before]
        return "\n".join(lines)


def check(operations, keys=None):
    """All violations, at most one for each key. `keys`: those that listings must be right about."""
    violations = []
    per_key = {}
    listings = []
    for operation in operations:
        if operation.kind == "list":
            # A listing that failed says nothing.
            if operation.answer == OK:
                listings.append(operation)
        else:
            per_key.setdefault(operation.key, []).append(operation)
    for key in keys or ():
        per_key.setdefault(key, [])
    for page in listings:
        for key in page.seen:
            per_key.setdefault(key, [])
    for key in sorted(per_key):
        history = per_key[key] + [_as_read(page, key) for page in listings if page.covers(key)]
        violation = check_key(key, history)
        if violation:
            violations.append(violation)
    return violations


def _as_read(page, key):
    return replace(
        page, kind="read", key=key, value=page.seen.get(key, ABSENT), seen=None, note="listing"
    )


def check_key(key, operations):
    """The first answer on one key that nothing explains, or `None`."""
    certain, doubtful = _split(operations)
    values = [operation.value for operation in certain + doubtful if operation.kind == "put"]
    if len(set(values)) < len(values):
        raise ValueError(f"{key}: two writes of one value can't be told apart")
    failed = _Search(certain, doubtful, looks_ahead=True).run()
    if failed is None:
        return None
    try:
        failed = _Search(certain, doubtful, looks_ahead=False).run() or failed
    except TooHard:
        pass
    operation, states = failed
    return Violation(key, operation, _before(operations, operation), states)


def _before(operations, operation, count=10):
    """The last writes and the last other operations that began before it ended."""
    earlier = [o for o in operations if o.began <= operation.ended and o is not operation]
    earlier.sort(key=lambda other: other.ended)
    reads = [other for other in earlier if other.kind == "read"][-count:]
    writes = [other for other in earlier if other.kind != "read"][-count:]
    return sorted(reads + writes, key=lambda other: other.began)


# Which operations are certain


def _split(operations):
    """Operations that took effect or answered, and writes that may have, with nobody seeing."""
    first_seen = {}
    for operation in operations:
        if operation.answer == OK and operation.value is not ABSENT and operation.kind == "read":
            _earlier(first_seen, operation.value, operation.ended)
        if operation.answer == OK and operation.if_match and not operation.refused:
            _earlier(first_seen, operation.if_match, operation.ended)
    _follow_conditions(operations, first_seen)
    certain, doubtful = [], []
    for operation in operations:
        if operation.answer == OK:
            certain.append(operation)
        elif operation.answer == UNKNOWN and operation.kind in ("put", "delete"):
            seen = first_seen.get(operation.value) if operation.kind == "put" else None
            if seen is None:
                doubtful.append(operation)
            else:
                certain.append(replace(operation, ended=max(seen, operation.began), answer=OK))
        else:
            # A read without an answer says nothing; a write that failed for certain is none.
            assert operation.answer in (FAIL, UNKNOWN), operation
    return certain, doubtful


def _follow_conditions(operations, first_seen):
    """A conditional write that was seen has itself seen what its condition names, and so on."""
    doubts = {
        operation.value: operation
        for operation in operations
        if operation.answer == UNKNOWN and operation.kind == "put" and operation.if_match
    }
    for value in list(first_seen):
        time = first_seen[value]
        while value in doubts:
            value = doubts[value].if_match
            if first_seen.get(value, time + 1) <= time:
                break
            first_seen[value] = time


def _earlier(table, name, time):
    table[name] = min(time, table.get(name, time))


@dataclass
class _Class:
    """Writes in doubt with the same effect."""

    needs: object
    value: object
    begins: list
    available: int = 0


_ANY = object()
_SOME = object()


def _classes(certain, doubtful):
    # Only what a condition that did not hold has named is told apart from other unseen values.
    named = {operation.if_match for operation in certain + doubtful if operation.if_match}
    classes = {}
    for operation in doubtful:
        value = ABSENT
        if operation.kind == "put":
            value = operation.value if operation.value in named else UNSEEN
        needs = ABSENT if operation.if_absent else operation.if_match or _ANY
        made = classes.setdefault((needs, value), _Class(needs, value, []))
        made.begins.append(operation.began)
    return classes


# The search


class _Step:
    """An operation that must take effect: when it may, and what it leaves."""

    __slots__ = ("is_pure", "value", "needs", "but_not")

    def __init__(self, operation):
        # Pure ones change nothing, so they take effect as soon as they can.
        self.is_pure = operation.kind == "read" or operation.refused
        self.value = operation.value if operation.kind == "put" else ABSENT
        self.needs, self.but_not = _ANY, _ANY
        if operation.kind == "read":
            self.needs = operation.value
        elif operation.refused:
            # No object with an If-Match is a 404, which the caller records as a read of nothing.
            self.needs = _SOME
            self.but_not = operation.if_match if operation.if_match else _ANY
        elif operation.if_absent:
            self.needs = ABSENT
        elif operation.if_match:
            self.needs = operation.if_match

    def accepts(self, state):
        if self.needs is _ANY:
            return True
        if self.needs is _SOME:
            return state is not ABSENT and state != self.but_not
        return state == self.needs

    def after(self, state):
        return state if self.is_pure else self.value


class _Search:
    """Follows all that may have happened on one key, answer by answer."""

    def __init__(self, certain, doubtful, looks_ahead):
        self.certain = certain
        self.classes = list(_classes(certain, doubtful).values())
        self.looks_ahead = looks_ahead
        self.steps = [_Step(operation) for operation in certain]
        self.pending = {}
        # For each value, how many that have not answered yet must find it.
        self.wanted = {}
        for step in self.steps:
            if isinstance(step.needs, str):
                self.wanted[step.needs] = self.wanted.get(step.needs, 0) + 1

    def run(self):
        """The operation that nothing explains and the states before it; `None` if all is well."""
        configurations = {(ABSENT, frozenset()): {(0,) * len(self.classes)}}
        for at, is_end, number in self._events():
            if number == -1:
                for kind in self.classes:
                    kind.available = sum(1 for began in kind.begins if began <= at)
            elif not is_end:
                self.pending[number] = self.steps[number]
            else:
                states = {state for state, _ in configurations}
                configurations = self._answer(configurations, number)
                step = self.pending.pop(number)
                if isinstance(step.needs, str):
                    self.wanted[step.needs] -= 1
                if not configurations:
                    return self.certain[number], states
        return None

    def _events(self):
        # At one and the same time beginnings go first: that forbids less.
        events = [(began, 0, -1) for kind in self.classes for began in kind.begins]
        for number, operation in enumerate(self.certain):
            events.append((operation.began, 0, number))
            events.append((operation.ended, 1, number))
        events.sort()
        return events

    def _answer(self, configurations, number):
        """The configurations in which the operation has taken effect, now that it answered."""
        found, seen, work = {}, {}, []
        for (state, done), uses in configurations.items():
            for used in uses:
                if number in done:
                    _keep(found, state, done - {number}, used)
                else:
                    work.append((state, done, used))
        steps = 0
        while work:
            state, done, used = work.pop()
            steps += 1
            if steps > CONFIGURATIONS_MAX:
                raise TooHard(f"{steps} configurations, {len(self.pending)} operations at once")
            # What changes nothing and can happen now may as well.
            pure = [
                other
                for other, step in self.pending.items()
                if step.is_pure and other not in done and step.accepts(state)
            ]
            if pure:
                done = done.union(pure)
            if number in done:
                _keep(found, state, done - {number}, used)
            elif _keep(seen, state, done, used):
                for other, *reached in self._next(state, done, used):
                    if other == number:
                        _keep(found, reached[0], reached[1] - {number}, reached[2])
                    else:
                        work.append(reached)
        return found

    def _next(self, state, done, used):
        """Every operation that can take effect now, and what it leads to."""
        for other, step in self.pending.items():
            if other in done:
                continue
            for before, spent in self._ways(step, state, used):
                if self.looks_ahead and self._loses(state, before, step, done):
                    continue
                yield other, step.after(before), done | {other}, spent

    def _loses(self, state, before, step, done):
        """Whether a value would go that somebody has yet to find."""
        if before == state and step.is_pure:
            return False
        wanted = self.wanted.get(state, 0)
        if not wanted:
            return False
        if before == state and step.needs == state:
            wanted -= 1
        return wanted > sum(1 for other in done if self.steps[other].needs == state)

    def _ways(self, step, state, used):
        """States in which the step can happen, and what of the doubtful it took to get there."""
        if step.accepts(state):
            yield state, used
            return
        # Two are enough: to the absence that a conditional write needs, and that write.
        for first, spent in self._doubtful(state, used):
            if step.accepts(first):
                yield first, spent
                continue
            for second, more in self._doubtful(first, spent):
                if step.accepts(second):
                    yield second, more

    def _doubtful(self, state, used):
        for index, kind in enumerate(self.classes):
            if used[index] < kind.available and (kind.needs is _ANY or kind.needs == state):
                yield kind.value, used[:index] + (used[index] + 1,) + used[index + 1 :]


def _keep(table, state, done, used):
    """Notes a configuration unless one that has used no more is there; whether it was new."""
    uses = table.setdefault((state, done), set())
    if not any(used):
        # Nothing beats having used nothing.
        if used in uses:
            return False
        uses.clear()
        uses.add(used)
        return True
    if any(all(a <= b for a, b in zip(other, used)) for other in uses):
        return False
    worse = {other for other in uses if all(a >= b for a, b in zip(other, used))}
    uses -= worse
    uses.add(used)
    return True
