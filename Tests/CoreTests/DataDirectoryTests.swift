import Foundation
import Testing

@testable import Core

@Suite struct DataDirectoryTests {
    private let scratch: String = NSTemporaryDirectory() + "dst-core-\(UUID().uuidString)"

    private func open(
        _ path: String, _ role: NodeRole = .storage, seed: UInt64 = 1
    ) throws(DataDirectoryError) -> DataDirectory {
        var random = SeededRandom(seed: seed)
        return try DataDirectory.open(path: path, role: role, using: &random)
    }

    @Test func `an empty directory is a new node, a used one the same node`() throws {
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let path = scratch + "/deep/data"
        let first = try open(path, seed: 1).identity
        #expect(first.cluster == nil)
        #expect(first.role == .storage)
        let second = try open(path, seed: 2).identity
        #expect(second == first)
        let other = try open(scratch + "/other", seed: 3).identity
        #expect(other.node != first.node)
    }

    @Test func `the cluster is kept once known and never exchanged`() throws {
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let cluster = ClusterID(high: 1, low: 2)
        try open(scratch).join(cluster)
        let directory = try open(scratch)
        #expect(directory.identity.cluster == cluster)
        try directory.join(cluster)
        let other = ClusterID(high: 3, low: 4)
        #expect(
            throws: DataDirectoryError.otherCluster(path: scratch, found: cluster, wanted: other)
        ) { try directory.join(other) }
    }

    @Test func `a second process is kept out until the first ends`() throws {
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        do {
            let directory = try open(scratch)
            #expect(throws: DataDirectoryError.locked(path: scratch)) { try open(scratch) }
            _ = directory.identity
        }
        _ = try open(scratch)
    }

    @Test func `a directory of another role is refused`() throws {
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        _ = try open(scratch, .coordinator)
        #expect(
            throws: DataDirectoryError.otherRole(
                path: scratch, found: .coordinator, wanted: .gateway)
        ) { try open(scratch, .gateway) }
    }

    @Test(arguments: [
        #"{"format": 2, "shape": "unknown"}"#, #"{"format": 0}"#,
    ])
    func `a directory of another version is refused`(text: String) throws {
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        _ = try open(scratch)
        try text.write(toFile: scratch + "/node.json", atomically: true, encoding: .utf8)
        #expect {
            try open(scratch)
        } throws: { error in
            guard case .otherVersion = error as? DataDirectoryError else { return false }
            return "\(error)".contains("start the version of dstnode that wrote it")
        }
    }

    @Test(arguments: [
        "", "{", #"{"format": 1}"#, #"{"format": 1, "node": "x", "role": "storage"}"#,
    ])
    func `a damaged identity is refused, not replaced`(text: String) throws {
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        _ = try open(scratch)
        try text.write(toFile: scratch + "/node.json", atomically: true, encoding: .utf8)
        #expect {
            try open(scratch)
        } throws: { error in
            guard case .damaged = error as? DataDirectoryError else { return false }
            return true
        }
        #expect(try String(contentsOfFile: scratch + "/node.json", encoding: .utf8) == text)
    }

    @Test func `a directory with other files is not taken for a new node`() throws {
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        try FileManager.default.createDirectory(
            atPath: scratch, withIntermediateDirectories: true)
        try "mine".write(toFile: scratch + "/letter.txt", atomically: true, encoding: .utf8)
        #expect(throws: DataDirectoryError.foreign(path: scratch, found: "letter.txt")) {
            try open(scratch)
        }
    }

    @Test func `a crash in the first start leaves a new node`() throws {
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        try FileManager.default.createDirectory(
            atPath: scratch, withIntermediateDirectories: true)
        try "{half".write(toFile: scratch + "/node.json.new", atomically: true, encoding: .utf8)
        #expect(try open(scratch).identity.cluster == nil)
    }

    @Test func `a file in the place of the directory is refused`() throws {
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        try "file".write(toFile: scratch, atomically: true, encoding: .utf8)
        #expect(throws: DataDirectoryError.notDirectory(path: scratch)) { try open(scratch) }
    }

    @Test func `a directory that can't be written is refused`() throws {
        // Nobody may write there, not even root.
        #expect {
            try open("/proc/1/dst-data")
        } throws: { error in
            error is DataDirectoryError
        }
    }

    @Test func `identities are kept in a fixed form`() throws {
        let text = #"""
            {"cluster": "000000000000000100000000000000ff", "format": 1,
             "node": "0123456789abcdef0123456789abcdef", "role": "gateway"}
            """#
        let identity = try JSONDecoder().decode(NodeIdentity.self, from: Data(text.utf8))
        #expect(identity.node.hex == "0123456789abcdef0123456789abcdef")
        #expect(identity.cluster == ClusterID(high: 1, low: 255))
        #expect(identity.role == .gateway)
    }
}
