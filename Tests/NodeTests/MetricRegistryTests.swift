import CoreMetrics
import Testing

@testable import dstnode

@Suite struct MetricRegistryTests {
    @Test func `series are written as Prometheus reads them`() {
        let registry = MetricRegistry(node: "n1")
        let requests = registry.makeCounter(
            label: "s3.requests", dimensions: [("operation", "PutObject"), ("code", "200")])
        requests.increment(by: 3)
        registry.makeCounter(
            label: "s3.requests", dimensions: [("operation", "PutObject"), ("code", "200")]
        ).increment(by: 1)
        registry.makeMeter(label: "nodes", dimensions: [("state", "u\"p")]).set(Int64(5))
        registry.makeTimer(label: "raft.fsync", dimensions: []).recordNanoseconds(2_000_000)
        let text = registry.text
        #expect(text.contains("# TYPE dst_s3_requests_total counter\n"))
        let labels = #"{code="200",node="n1",operation="PutObject"}"#
        #expect(text.contains("dst_s3_requests_total\(labels) 4\n"))
        #expect(text.contains(#"dst_nodes{node="n1",state="u\"p"} 5.0"#))
        #expect(text.contains(#"dst_raft_fsync_seconds_bucket{node="n1",le="0.001"} 0"#))
        #expect(text.contains(#"dst_raft_fsync_seconds_bucket{node="n1",le="0.0025"} 1"#))
        #expect(text.contains(#"dst_raft_fsync_seconds_bucket{node="n1",le="+Inf"} 1"#))
        #expect(text.contains("dst_raft_fsync_seconds_count{node=\"n1\"} 1\n"))
    }

    @Test func `labels without bound cost no memory`() {
        let registry = MetricRegistry(node: "n1")
        for index in 0..<MetricRegistry.seriesMax + 100 {
            registry.makeCounter(label: "c", dimensions: [("i", "\(index)")]).increment(by: 1)
        }
        #expect(registry.text.split(separator: "\n").count == MetricRegistry.seriesMax + 1)
    }

    @Test func `what is destroyed is written no more`() {
        let registry = MetricRegistry(node: "n1")
        let counter = registry.makeCounter(label: "gone", dimensions: [])
        #expect(registry.text.contains(#"dst_gone_total{node="n1"} 0"#))
        registry.destroyCounter(counter)
        #expect(registry.text.isEmpty)
    }
}
