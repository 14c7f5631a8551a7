import ChunkStore
import Core
import NodeConfiguration
import StorageNode

/// Puts a storage node together.
enum StorageAssembly {
    static func run(_ base: NodeBase) async throws {
        let configuration = base.configuration
        let directory = base.directory
        var settings = StorageNode.Configuration(
            node: directory.identity.node, label: configuration.label,
            address: configuration.advertiseAddress.description, zone: configuration.zone,
            version: NodeBase.version, directory: directory.path,
            capacityBytes: configuration.capacityBytes)
        settings.sweepAge = configuration.sweepAge
        var foundation = StorageNode.Foundation(
            pool: base.pool, server: base.server, addresses: base.addresses,
            clocks: base.clocks, logger: base.logger, seeds: base.seeds,
            cluster: directory.identity.cluster,
            clusterIsKnown: { try directory.join($0) })
        foundation.discoveryProblems = base.discoveryProblems
        let node = StorageNode(settings, on: foundation)
        base.metrics.add {
            guard let (usage, counters) = node.figures else { return [] }
            return samples(usage, counters, swept: node.sweptChunks)
        }
        try await base.serve(
            NodeChecks(
                isOpen: { node.isOpen }, disk: DiskProbe(directory, clocks: base.clocks),
                problem: { node.problem }, unreadiness: { await node.unreadiness() })
        ) {
            try await node.run()
        }
    }

    private static func samples(
        _ usage: ChunkStoreUsage, _ counters: ChunkStoreCounters, swept: UInt64
    ) -> [MetricRegistry.Sample] {
        func count(_ name: String, _ value: UInt64) -> MetricRegistry.Sample {
            MetricRegistry.Sample("chunks.\(name)", [], value, isCounter: true)
        }
        return [
            MetricRegistry.Sample("capacity.bytes", [], usage.capacityBytes),
            MetricRegistry.Sample("used.bytes", [], usage.usedBytes),
            MetricRegistry.Sample("free.bytes", [], usage.freeBytes),
            MetricRegistry.Sample("chunks.stored", [], usage.chunkCount),
            MetricRegistry.Sample("chunks.segments", [], usage.segmentCount),
            count("written", counters.chunksWritten),
            count("written.bytes", counters.bytesWritten),
            count("read.bytes", counters.bytesRead),
            count("deleted", counters.chunksDeleted),
            count("swept", swept),
            count("commit.groups", counters.commitGroups),
            count("syncs", counters.segmentSyncs + counters.tombstoneSyncs),
            count("corrupt.blocks", counters.corruptBlocks),
        ]
    }
}
