import ChunkStore
import Cloud
import Coordinator
import Core
import Foundation
import RaftLog
import Testing
import Wire

@testable import ClusterView
@testable import dstnode

@Suite struct ExitReasonTests {
    private struct Other: Error {}

    @Test func `what somebody must change ends with 78`() {
        let errors: [any Error] = [
            DataDirectoryError.full(path: "/d"), DataDirectoryError.readOnly(path: "/d"),
            PortListenerError.addressInUse("0.0.0.0:9000"), TrustError.badSecret("too short"),
            FormationError.unreadable("formation.json is damaged"),
            HeartbeatRefused(reason: "node 1 was removed", isFinal: true),
            RaftHostError.logLost(.system),
            RaftHostError.forgotten(.system, "ends at 3"),
            RaftHostError.log(.corrupt(file: "1.log", offset: 7, what: "checksum")),
            RaftHostError.catalogue(.system, .damaged(path: "/d", detail: "x")),
            ChunkStoreError.unusable("the file 'store' is damaged"),
            CloudError.badEndpoint(name: "DST_AWS_EC2_ENDPOINT", value: "x"),
        ]
        for error in errors {
            #expect(ExitReason(error).exitCode.rawValue == 78, "\(error)")
        }
    }

    @Test func `what may pass ends with 75, what failed with 1`() {
        let taken = ExitReason(HeartbeatRefused(reason: "NODE_ID 's1' belongs", isFinal: false))
        #expect(taken.exitCode.rawValue == 75)
        #expect(taken.description == "NODE_ID 's1' belongs")
        let errors: [any Error] = [
            Other(), CancellationError(), FormationError.notSaved("disk"),
            RaftHostError.stopped("fsync"), RaftHostError.log(.full),
        ]
        for error in errors { #expect(ExitReason(error).exitCode.rawValue == 1, "\(error)") }
    }

    @Test func `the reason says what to do`() {
        let damaged = ExitReason(
            RaftHostError.log(.corrupt(file: "1.log", offset: 7, what: "checksum")))
        #expect(damaged.description.contains("1.log"))
        #expect(damaged.description.contains("empty DATA_PATH"))
        #expect(
            ExitReason(PortListenerError.addressInUse("0.0.0.0:9000")).description
                .contains("set LISTEN_ADDRESS"))
    }
}
