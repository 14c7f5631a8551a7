import Coordinator
import Core
import Foundation
import Logging
import NIOCore
import NodeConfiguration

/// Puts a coordinator together.
enum CoordinatorAssembly {
    static func run(_ base: NodeBase) async throws {
        let configuration = base.configuration
        let directory = base.directory
        var settings = Coordinator.Configuration(
            me: member(base), version: NodeBase.version, directory: directory.path,
            policy: policy(configuration, now: base.clocks.wall),
            garbageGraceMilliseconds: configuration.garbageGrace.nanoseconds / 1_000_000,
            sweepAgeMilliseconds: configuration.sweepAge.nanoseconds / 1_000_000)
        settings.sealKeys = base.sealKeys()
        var foundation = Coordinator.Foundation(
            pool: base.pool, server: base.server, enrolment: base.enrolment,
            certificates: base.certificates, addresses: base.addresses, clocks: base.clocks,
            logger: base.logger, seeds: base.seeds,
            clusterIsKnown: { try directory.join($0) },
            openConsensus: { proposal, observer in
                try await openConsensus(base, proposal, observer)
            })
        foundation.discoveryProblems = base.discoveryProblems
        let coordinator = try Coordinator(settings, on: foundation)
        base.metrics.add {
            coordinator.nodeCounts.map { count in
                MetricRegistry.Sample(
                    "nodes", [("role", count.role.rawValue), ("state", count.state)], count.count)
            }
        }
        try await base.serve(
            NodeChecks(
                isOpen: { await coordinator.isOpen() },
                disk: DiskProbe(directory, clocks: base.clocks), problem: { nil },
                unreadiness: { await coordinator.unreadiness() },
                departing: Departing(
                    depart: { _ in await coordinator.depart() },
                    keepsIt: { await coordinator.keepsIt() }))
        ) {
            try await coordinator.run()
        }
    }

    private static func member(_ base: NodeBase) -> FormationProposal.Member {
        FormationProposal.Member(
            node: base.directory.identity.node,
            address: base.configuration.advertiseAddress.description,
            label: base.configuration.label, zone: base.configuration.zone)
    }

    private static func policy(
        _ configuration: NodeConfiguration, now: WallTime
    ) -> FormationCore.Policy {
        let mayForm =
            switch configuration.formation {
            case .auto: true
            case .never: false
            case .until(let end): now < end
            }
        return FormationCore.Policy(
            expectedCount: configuration.bootstrapExpect, mayForm: mayForm,
            settings: FormationProposal.Settings(
                clusterName: configuration.clusterName,
                replicationFactor: configuration.replicationFactor,
                rangeCount: configuration.metadataRanges,
                repairDelayMilliseconds: configuration.repairDelay.nanoseconds / 1_000_000))
    }

    /// The Raft groups with their stores: the system range and the ranges of the object index.
    private static func openConsensus(
        _ base: NodeBase, _ proposal: FormationProposal, _ observer: any ConsensusObserver
    ) async throws -> any RunningConsensus {
        let host = try await RaftHost.open(
            RaftHost.Configuration(
                me: base.directory.identity.node, directory: base.directory.path,
                proposal: proposal, seed: UInt64.random(in: .min ... .max)),
            transport: WireRaftTransport(base.pool), clocks: base.clocks,
            eventLoop: base.group.next(), observer: observer, logger: base.logger)
        base.metrics.add { samples(host.metrics) }
        return host
    }

    private static func samples(_ metrics: RaftHostMetrics) -> [MetricRegistry.Sample] {
        func count(_ name: String, _ value: UInt64) -> MetricRegistry.Sample {
            MetricRegistry.Sample("raft.\(name)", [], value, isCounter: true)
        }
        return [
            count("log.syncs", metrics.syncLatency.count),
            count("log.sync.microseconds", metrics.syncLatency.totalMicroseconds),
            MetricRegistry.Sample(
                "raft.log.sync.microseconds.p99", [], metrics.syncLatency.quantile(0.99)),
            count("proposals", metrics.proposeLatency.count),
            count("proposal.microseconds", metrics.proposeLatency.totalMicroseconds),
            MetricRegistry.Sample(
                "raft.proposal.microseconds.p99", [], metrics.proposeLatency.quantile(0.99)),
            count("messages.dropped", metrics.messagesDropped),
            count("requests.refused", metrics.requestsRefused),
            count("lease.reads", metrics.fencedReads),
        ]
    }
}
