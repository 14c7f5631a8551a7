import AdminAPI
import ClusterView
import Core
import Foundation
import Messages
import S3
import Testing

@testable import Gateway

@Suite struct AdminTests {
    @Test func `a key is sealed for the cluster and opened again`() throws {
        let secrets = [[UInt8](repeating: 1, count: 32), [UInt8](repeating: 2, count: 32)]
        let old = AccessKeys(root: nil, sealKeys: { AccessKeySeal.keys(of: [secrets[1]]) })
        let new = AccessKeys(root: nil, sealKeys: { AccessKeySeal.keys(of: secrets) })
        var key = ProtoAccessKey()
        key.id = "A"
        key.isEnabled = true
        key.sealedSecret = try #require(
            old.seal(secret: "word", id: "A", nonce: [UInt8](repeating: 3, count: 12)))
        new.update(["A": key])
        #expect(new.entry("A")?.secret == "word")
        // Under another name the seal does not open.
        key.id = "B"
        new.update(["B": key])
        #expect(new.entry("B") == nil && new.entry("A") == nil)
        AccessKeys(root: nil, sealKeys: { [] }).update(["A": key])
    }

    @Test func `only the root key opens the admin API`() async throws {
        try await GatewayWorld.with { world in
            var key = ProtoAccessKey()
            key.id = "USERKEY"
            key.isEnabled = true
            key.sealedSecret = try #require(
                world.keys.seal(
                    secret: "word", id: key.id, nonce: [UInt8](repeating: 3, count: 12)))
            world.keys.update([key.id: key])
            let user = SigV4Signer(accessKey: key.id, secret: "word", region: "eu-test-1")
            #expect(try await world.ask("GET", "/", signer: user).status == 200)
            let refused = try await world.ask("GET", AdminPaths.keys, signer: user)
            #expect(refused.status == 403 && refused.code == "AccessDenied")
            let list = try await world.ask("GET", AdminPaths.keys)
            #expect(list.status == 200 && list.text == #"{"keys":[]}"#)
            #expect(try await world.ask("GET", AdminPaths.status).status == 200)
            #expect(try await world.ask("GET", "/-/admin/v1/nothing").status == 405)
            key.isEnabled = false
            world.keys.update([key.id: key])
            let disabled = try await world.ask("GET", "/", signer: user)
            #expect(disabled.status == 403 && disabled.code == "AccessDenied")
        }
    }

    @Test func `a report says who leads and what is wrong`() {
        var reply = ProtoStatusReply()
        reply.isSystemLeader = true
        reply.partitionsMoving = 3
        var group = ProtoGroupStatus()
        group.term = 4
        group.leader = Data(NodeID(high: 1, low: 2).bytes)
        var older = group
        older.term = 3
        older.leader = Data()
        reply.groups = [older]
        var other = ProtoStatusReply()
        other.groups = [group]
        let report = StatusReport.make([reply, other], state: ClusterState(), isFresh: false)
        #expect(report.ranges.map(\.name) == ["system"] && report.ranges[0].term == 4)
        #expect(report.ranges[0].leader == "\(NodeID(high: 1, low: 2))")
        #expect(report.partitions.moving == 3)
        #expect(report.problems.count == 1)
    }

    @Test func `limits agree with each other`() { GatewayLimits.check() }
}
