extension Scenario {
    /// All of them; a world whose scenario is not said has the one of its seed, in turn.
    package static let all: [Scenario] = [
        Scenario(
            "mixed", "everything that may happen to a cluster that loses no disk",
            [
                (.kill, 4), (.powerCut, 4), (.everything, 1), (.cut, 2), (.mend, 1),
                (.clockJump, 1), (.slowDisk, 1), (.slowNode, 1), (.fullDisk, 1),
                (.failingDisk, 1),
            ]),
        Scenario(
            "formation", "nodes that form a cluster while links break and processes end",
            [(.kill, 3), (.powerCut, 2), (.cut, 3), (.mend, 2), (.slowNode, 1)]
        ) {
            $0.troublesFormation = true
            $0.pauses = 300...2_000
            $0.downs = 300...4_000
            $0.coordinatorsDownMax = 2
            $0.seconds = 20
        },
        Scenario(
            "leaders", "leadership that changes all the time",
            [(.kill, 4), (.powerCut, 2), (.cut, 4), (.mend, 2), (.slowNode, 2)]
        ) {
            $0.pauses = 500...3_000
            $0.downs = 500...5_000
            $0.clients.keys = 3
        },
        Scenario(
            "power", "the power goes everywhere at once, again and again",
            [(.everything, 4), (.powerCut, 4), (.slowDisk, 2)]
        ) {
            $0.pauses = 2_000...10_000
            $0.downs = 200...3_000
            $0.coordinatorsDownMax = 3
            $0.storageDownMax = 5
            $0.clients.count = 10
        },
        Scenario(
            "clocks", "clocks that jump, against leases and whoever believes them",
            [(.clockJump, 4), (.cut, 3), (.mend, 2), (.slowNode, 2), (.kill, 1)]
        ) {
            $0.pauses = 500...4_000
            $0.clients.keys = 3
            $0.settings.driftMillionthsMax = 5_000
        },
        Scenario(
            "rot", "one node's chunks rot while others come and go",
            [(.rot, 4), (.kill, 2), (.powerCut, 2), (.mend, 1)]
        ) { $0.clients.keys = 12 },
        Scenario(
            "lost-disk", "one storage node comes back empty, again and again",
            [(.wipe, 3), (.kill, 2), (.cut, 1), (.mend, 1)]
        ) {
            $0.pauses = 3_000...15_000
            $0.downs = 1_000...30_000
            $0.seconds = 90
        },
        Scenario(
            "lost-coordinator", "one coordinator comes back empty, again and again",
            [(.wipeCoordinator, 3), (.kill, 3), (.powerCut, 1), (.cut, 1), (.mend, 1)]
        ) {
            $0.pauses = 3_000...15_000
            $0.seconds = 90
        },
        Scenario(
            "replacement", "every storage node is replaced, one after the other",
            [(.replaceNext, 4), (.kill, 1), (.cut, 1), (.mend, 2)]
        ) {
            $0.pauses = 4_000...8_000
            $0.downs = 500...5_000
            $0.lateOneIn = nil
            $0.seconds = 240
            $0.clients.pauseMax = 1_500
        },
        Scenario(
            "drain", "nodes are drained and taken back while links break",
            [(.drain, 4), (.cut, 2), (.mend, 2), (.kill, 3)]
        ) {
            $0.pauses = 1_000...8_000
            $0.downs = 2_000...30_000
            $0.seconds = 90
            $0.clients.keys = 40
        },
        Scenario(
            "stale", "gateways whose map is old while partitions move",
            [(.drain, 4), (.mute, 4), (.slowNode, 4), (.mend, 1)]
        ) {
            $0.pauses = 500...4_000
            $0.downs = 2_000...20_000
            $0.lateOneIn = nil
            $0.seconds = 90
            $0.clients.count = 8
            $0.clients.keys = 40
        },
        Scenario(
            "full", "disks that fill up and empty in waves",
            [(.fullDisk, 6), (.kill, 2), (.powerCut, 2), (.failingDisk, 1)]
        ) { $0.pauses = 500...4_000 },
        Scenario(
            "slow", "nodes and disks that are slow, not gone",
            [(.slowNode, 4), (.slowDisk, 4), (.kill, 1)]
        ) { $0.pauses = 1_000...5_000 },
        Scenario(
            "gone", "one storage node goes and never comes back",
            [(.lose, 2), (.kill, 2), (.cut, 1), (.mend, 2)]
        ) {
            $0.pauses = 3_000...15_000
            $0.downs = 1_000...10_000
        },
        Scenario(
            "snapshots", "logs that are short: who was away is sent a snapshot",
            [(.kill, 4), (.powerCut, 3), (.everything, 1), (.wipeCoordinator, 2), (.mend, 1)]
        ) {
            $0.pauses = 1_000...6_000
            $0.downs = 1_000...20_000
            $0.clients.keys = 12
            $0.settings.keptEntries = 10
        },
        Scenario(
            "logs", "coordinators' disks that fill up, fail and are slow",
            [(.fullLog, 4), (.failingLog, 4), (.slowDisk, 2), (.kill, 1), (.powerCut, 1)]
        ) { $0.pauses = 1_000...8_000 },
        Scenario(
            "unanswered", "coordinators hear gateways, but gateways hear no answer",
            [(.mute, 6), (.kill, 1)]
        ) {
            $0.pauses = 500...8_000
            $0.downs = 2_000...50_000
            $0.lateOneIn = nil
            $0.seconds = 120
            $0.clients.keys = 3
        },
        Scenario(
            "garbage", "what is deleted goes without the sweep, and does not come back",
            [(.kill, 3), (.powerCut, 6), (.slowDisk, 1)]
        ) {
            $0.pauses = 500...4_000
            $0.downs = 200...5_000
            $0.lateOneIn = nil
            $0.settings.sweeps = false
            $0.settings.garbageGraceMilliseconds = 2_000
        },
        Scenario(
            "reading", "one storage node at a time is away, and every read must be answered",
            [(.killStorage, 6), (.isolate, 3), (.mend, 6)]
        ) {
            $0.pauses = 500...6_000
            $0.downs = 500...8_000
            $0.lateOneIn = nil
            $0.demandsReads = true
            $0.clients.keys = 12
        },
        Scenario(
            "founders", "five coordinators of which three may form a cluster",
            [(.cutLink, 6), (.slowCoordinator, 6), (.kill, 1), (.mend, 1)]
        ) {
            $0.troublesFormation = true
            $0.pauses = 100...500
            $0.downs = 300...4_000
            $0.coordinatorsDownMax = 2
            $0.seconds = 20
            $0.settings.coordinatorCount = 5
        },
        Scenario(
            "calm", "nothing goes wrong: what is wrong here is wrong everywhere", []
        ) { $0.lateOneIn = nil },
        Scenario(
            "quiet", "a long time in which little happens: timers, sweeps, certificates",
            [(.kill, 1)]
        ) {
            $0.lateOneIn = nil
            $0.pauses = 60_000...300_000
            $0.clients.count = 2
            $0.clients.pauseMax = 30_000
            $0.seconds = 900
        },
    ]

    package static func named(_ name: String) -> Scenario? { all.first { $0.name == name } }

    /// Of a seed where none is named.
    package static func of(seed: UInt64) -> Scenario { all[Int(seed % UInt64(all.count))] }
}
