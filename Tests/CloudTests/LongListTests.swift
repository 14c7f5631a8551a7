import Core
import Foundation
import Testing

@testable import Cloud

/// Lists of 2,000 instances: what parsing costs is checked where the build is optimized.
@Suite(.serialized) struct LongListTests {
    static let count = 1000

    /// One page of EC2 as long as it really is: a tenth of it matters.
    private static func ec2Page() -> CloudReply {
        let filler = (0..<40).map { "<field\($0)>value-\($0)-of-something</field\($0)>" }.joined()
        let items = (0..<count).map { index in
            "<item><reservationId>r</reservationId><instancesSet><item><instanceId>i-\(index)"
                + "</instanceId><instanceState><name>running</name></instanceState>\(filler)"
                + "<privateIpAddress>10.0.\(index / 250).\(index % 250)</privateIpAddress><tagSet>"
                + "<item><key>dst-cluster</key><value>c</value></item></tagSet></item>"
                + "</instancesSet></item>"
        }.joined()
        return .text(
            "<DescribeInstancesResponse><reservationSet>\(items)</reservationSet>"
                + "</DescribeInstancesResponse>")
    }

    private static func gcpPage(_ count: Int) -> CloudReply {
        let filler = (0..<40).map { "\"field\($0)\":\"value-\($0)-of-something\"" }
            .joined(separator: ",")
        let items = (0..<count).map { index in
            "{\"name\":\"n-\(index)\",\"status\":\"RUNNING\",\(filler),\"labels\":{\"dst-cluster\":"
                + "\"c\"},\"networkInterfaces\":[{\"networkIP\":\"10.0.\(index / 250).\(index % 250)\"}]}"
        }.joined(separator: ",")
        return .text("{\"items\":{\"zones/a-b\":{\"instances\":[\(items)]}}}")
    }

    /// Peak of the resident memory so far, bytes.
    private static func peak() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return (line?.split(separator: " ").compactMap { Int($0) }.first ?? 0) * 1024
    }

    @Test func `2,000 instances are parsed in time and memory`() throws {
        let (ec2, gcp) = (Self.ec2Page(), Self.gcpPage(500))
        let before = try Self.peak()
        let clock = ContinuousClock()
        var counts: [Int] = []
        let ec2Time = try clock.measure {
            for _ in 0..<2 { counts.append(try AWSInstances.page(ec2, "h").instances.count) }
        }
        let gcpTime = try clock.measure {
            for _ in 0..<4 { counts.append(try GCPInstances.page(gcp, "h").instances.count) }
        }
        #expect(counts == [Self.count, Self.count, 500, 500, 500, 500])
        let grown = try Self.peak() - before
        let figures =
            "EC2 \(ec2Time) for 2 x \(ec2.body.count) B, GCP \(gcpTime) for 4 x "
            + "\(gcp.body.count) B, peak +\(grown / 1024) KiB"
        #if DEBUG
            #expect(ec2Time < .seconds(60) && gcpTime < .seconds(60), "\(figures)")
        #else
            #expect(ec2Time < .milliseconds(200) && gcpTime < .milliseconds(200), "\(figures)")
            #expect(grown < 20 << 20, "\(figures)")
            FileHandle.standardError.write(Data((figures + "\n").utf8))
        #endif
    }
}
