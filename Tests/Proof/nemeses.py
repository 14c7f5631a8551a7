"""What goes wrong, drawn by seed. Each begins, lasts a while, and ends; what it broke, it mends.

None takes a disk away for good, so whatever they do together, everything acknowledged is there
afterwards.
"""

from power import MOODS

# S3 refuses requests whose time is 15 minutes off; certificates begin an hour in the past.
GATEWAY_SECONDS_OFF_MAX = 10 * 60
SECONDS_OFF_MAX = 45 * 60


class Nemesis:
    def __init__(self, cluster, random):
        self.cluster, self.random = cluster, random

    def some(self, upto=3, roles=("coordinator", "storage", "gateway")):
        """A few nodes, any of them."""
        nodes = [node for node in self.cluster.nodes if node.role in roles]
        return self.random.sample(nodes, self.random.randint(1, upto))

    def begin(self):
        """Answers what it did, in words."""
        raise NotImplementedError

    def end(self):
        self.cluster.restart()


def names(nodes):
    return " ".join(node.name for node in nodes)


class Kill(Nemesis):
    def begin(self):
        nodes = self.some(upto=5)
        self.cluster.kill(nodes)
        return names(nodes)


class Pause(Nemesis):
    def begin(self):
        self.nodes = [node for node in self.some() if node.is_running]
        for node in self.nodes:
            node.pause()
        return names(self.nodes)

    def end(self):
        for node in self.nodes:
            if node.is_running:
                node.resume()
        super().end()


class Partition(Nemesis):
    """Packets vanish, at times in one direction only."""

    def begin(self):
        nodes = self.cluster.nodes
        kind = self.random.choice(["one", "zone", "halves", "one way"])
        if kind == "zone":
            zone = self.random.choice(nodes).zone
            self.cut_off = [node for node in nodes if node.zone == zone]
        elif kind == "halves":
            self.cut_off = self.random.sample(nodes, len(nodes) // 2)
        else:
            self.cut_off = [self.random.choice(nodes)]
        ways = [self.random.choice(["INPUT", "OUTPUT"])] if kind == "one way" else None
        others = [node.host for node in nodes if node not in self.cut_off]
        for node in self.cut_off:
            self.cluster.network.block(node.name, others, ways or ("INPUT", "OUTPUT"))
        return f"{kind} {' '.join(ways or [])} {names(self.cut_off)}"

    def end(self):
        for node in self.cut_off:
            self.cluster.network.unblock(node.name)
        super().end()


class ClockJump(Nemesis):
    """Forwards or backwards by minutes, and back again at the end."""

    def begin(self):
        is_all = self.random.random() < 0.4
        self.nodes = self.cluster.nodes if is_all else self.some()
        told = []
        for node in self.nodes:
            most = GATEWAY_SECONDS_OFF_MAX if node.role == "gateway" else SECONDS_OFF_MAX
            seconds = self.random.randint(-most, most)
            node.clock.set(seconds)
            told.append(f"{node.name} {seconds:+d} s")
        return ", ".join(told)

    def end(self):
        for node in self.nodes:
            node.clock.set(0)
        super().end()


class DiskFault(Nemesis):
    roles = ("coordinator", "storage")
    upto = 2

    def values(self):
        raise NotImplementedError

    def begin(self):
        self.nodes = self.some(upto=self.upto, roles=self.roles)
        told = []
        for node in self.nodes:
            values = self.values()
            node.disk.set(**values)
            told.append(f"{node.name} {values}")
        return ", ".join(told)

    def end(self):
        for node in self.nodes:
            node.disk.mend()
        super().end()


class SyncErrors(DiskFault):
    def values(self):
        return {"sync_errors": self.random.choice([1, 2, 5, -1])}


class FullDisk(DiskFault):
    def values(self):
        return {"full": self.random.choice([1, 1, 2])}


class SlowDisk(DiskFault):
    upto = 4

    def values(self):
        return {"sync_delay_ms": self.random.choice([20, 100, 400, 1500])}


class PowerCut(Nemesis):
    """Some or all die at once, and lose what was not synced."""

    def begin(self):
        what = self.random.choice(["all", "coordinators", "storage", "some"])
        if what == "all":
            nodes = self.cluster.nodes
        elif what == "some":
            nodes = self.some(upto=6)
        else:
            nodes = self.cluster.of("coordinator" if what == "coordinators" else "storage")
        mood = self.random.choice([None, *MOODS])
        cut = self.cluster.cut_power(nodes, self.random.getrandbits(32), mood)
        return f"{what}: " + "; ".join(f"{name} {told}" for name, told in cut.items())


ALL = (Kill, Pause, Partition, ClockJump, SyncErrors, FullDisk, SlowDisk, PowerCut)
