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

    /// A page of machines and one of their interfaces.
    private static func azurePages(_ count: Int) -> (CloudReply, CloudReply) {
        let filler = (0..<40).map { "\"field\($0)\":\"value-\($0)-of-something\"" }
            .joined(separator: ",")
        func id(_ index: Int) -> String {
            AzureMachines.id(subscription: "s", group: "g", name: "vm-\(index)")
        }
        let machines = (0..<count).map { index in
            "{\"id\":\"\(id(index))\",\"name\":\"vm-\(index)\",\"location\":\"westeurope\","
                + "\"tags\":{\"dst-cluster\":\"c\"},\"properties\":{\(filler)}}"
        }
        let interfaces = (0..<count).map { index in
            "{\"properties\":{\(filler),\"virtualMachine\":{\"id\":\"\(id(index))\"},"
                + "\"ipConfigurations\":[{\"properties\":{\"primary\":true,\"privateIPAddress\":"
                + "\"10.0.\(index / 250).\(index % 250)\"}}]}}"
        }
        return (
            .text("{\"value\":[\(machines.joined(separator: ","))]}"),
            .text("{\"value\":[\(interfaces.joined(separator: ","))]}")
        )
    }

    private static func azure(_ pages: (CloudReply, CloudReply)) throws -> [CloudInstance] {
        AzureMachines.joined(
            try AzureMachines.page(of: AzureMachines.Machine.self, pages.0, "h").value,
            try AzureMachines.page(of: AzureMachines.Interface.self, pages.1, "h").value,
            cluster: "c")
    }

    /// Peak of the resident memory so far, bytes.
    private static func peak() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return (line?.split(separator: " ").compactMap { Int($0) }.first ?? 0) * 1024
    }

    @Test func `2,000 instances are parsed in time and memory`() throws {
        let (ec2, gcp) = (Self.ec2Page(), Self.gcpPage(500))
        let azure = Self.azurePages(2 * Self.count)
        let before = try Self.peak()
        let clock = ContinuousClock()
        var counts: [Int] = []
        let ec2Time = try clock.measure {
            for _ in 0..<2 { counts.append(try AWSInstances.page(ec2, "h").instances.count) }
        }
        let gcpTime = try clock.measure {
            for _ in 0..<4 { counts.append(try GCPInstances.page(gcp, "h").instances.count) }
        }
        let azureTime = try clock.measure { counts.append(try Self.azure(azure).count) }
        #expect(counts == [Self.count, Self.count, 500, 500, 500, 500, 2 * Self.count])
        let grown = try Self.peak() - before
        let figures =
            "EC2 \(ec2Time) for 2 x \(ec2.body.count) B, GCP \(gcpTime) for 4 x "
            + "\(gcp.body.count) B, Azure \(azureTime) for \(azure.0.body.count) and "
            + "\(azure.1.body.count) B, peak +\(grown / 1024) KiB"
        let slowest = max(ec2Time, gcpTime, azureTime)
        #if DEBUG
            #expect(slowest < .seconds(60), "\(figures)")
        #else
            #expect(slowest < .milliseconds(200), "\(figures)")
            #expect(grown < 20 << 20, "\(figures)")
            FileHandle.standardError.write(Data((figures + "\n").utf8))
        #endif
    }
}
