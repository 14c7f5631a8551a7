import Cloud
import Core
import Testing

@testable import Discovery

@Suite struct CloudPeersTests {
    private func instance(
        _ name: String, _ addresses: [String], state: CloudInstance.State = .running,
        role: String? = nil
    ) -> CloudInstance {
        CloudInstance(
            id: name, name: name, state: state, addresses: addresses, zone: "z",
            tags: role.map { ["dst-role": $0] } ?? [:])
    }

    @Test func `who can't be asked is left out with the reason`() {
        var list = CloudInstanceList()
        list.instances = [
            instance("a", ["10.0.0.1"], role: "coordinator"), instance("b", ["fd00::1", "x"]),
            instance("c", [], state: .pending),
            instance("d", ["10.0.0.4"], state: .gone("stopped")),
            instance("e", ["10.0.0.5"], role: "boss"), instance("f", ["10.0.0.1"]),
            instance("g", ["10.0.0.1:22"]), instance("h", ["10.0.0.8"], state: .pending),
        ]
        let found = CloudPeers.discovered(list, port: 9000, source: "aws")
        #expect(
            found.peers.map { "\($0.address)" } == [
                "10.0.0.1:9000", "[fd00::1]:9000", "10.0.0.8:9000",
            ])
        #expect(found.peers.map(\.role) == [.coordinator, nil, nil])
        #expect(
            found.leftOut.map { "\($0.what): \($0.reason)" } == [
                "c: no address yet", "d: not running (stopped)",
                "e: dst-role=boss is no role; write coordinator, storage or gateway",
                "g: '10.0.0.1:22' is no address",
            ])
    }
}
