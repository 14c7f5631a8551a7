import Core
import Foundation
import Synchronization
import Testing

@testable import dstnode

private final class HandClocks: Clocks {
    private let milliseconds = Mutex<UInt64>(1_000)
    var wall: WallTime { WallTime(milliseconds: 0) }
    var monotonic: MonotonicTime {
        MonotonicTime(milliseconds: milliseconds.withLock { $0 })
    }
    func advance(_ count: UInt64) { milliseconds.withLock { $0 += count } }
}

/// A disk that does what it is told.
private final class Disk: Sendable {
    let probes = Atomic(0)
    let missing = Mutex<String?>(nil)
    let gate = DispatchSemaphore(value: 0)

    /// Fails by writing where there is nothing to write to.
    func write() throws(DurableFileError) {
        probes.add(1, ordering: .relaxed)
        gate.wait()
        if let path = missing.withLock({ $0 }) {
            try DurableFile.replace(path, with: [1])
        }
    }
}

@Suite struct DiskProbeTests {
    private let clocks = HandClocks()
    private let disk = Disk()

    private func until(_ isTrue: () -> Bool) async throws {
        while !isTrue() { try await Task.sleep(for: .milliseconds(1)) }
    }

    @Test func `a disk that does not answer is a problem until it does`() async throws {
        let probe = DiskProbe(clocks: clocks) { [disk] () throws(DurableFileError) in
            try disk.write()
        }
        probe.begin()
        #expect(probe.problem == nil)
        clocks.advance(29_999)
        #expect(probe.problem == nil)
        clocks.advance(2_001)
        #expect(probe.problem == "the disk of DATA_PATH has not answered for 32 s")
        // It gets no second while the first hangs.
        probe.begin()
        probe.begin()
        disk.gate.signal()
        try await until { probe.problem == nil }
        #expect(disk.probes.load(ordering: .relaxed) == 1)
    }

    @Test func `a disk that fails is a problem until it works again`() async throws {
        let probe = DiskProbe(clocks: clocks) { [disk] () throws(DurableFileError) in
            try disk.write()
        }
        disk.missing.withLock { $0 = "/no/such/directory/probe" }
        disk.gate.signal()
        probe.begin()
        try await until { probe.problem != nil }
        #expect(probe.problem?.hasPrefix("the disk of DATA_PATH failed: open /no/such") == true)
        disk.missing.withLock { $0 = nil }
        disk.gate.signal()
        probe.begin()
        try await until { probe.problem == nil }
    }

    @Test func `a full disk has not failed`() {
        #expect(DiskProbe.isFull(ENOSPC))
        #expect(DiskProbe.isFull(EDQUOT))
        #expect(!DiskProbe.isFull(EIO))
        #expect(!DiskProbe.isFull(EROFS))
    }

    @Test func `the real probe leaves a data directory that opens again`() async throws {
        let path = NSTemporaryDirectory() + "probe-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        var random = SystemRandomNumberGenerator()
        var directory: DataDirectory? = try DataDirectory.open(
            path: path, role: .storage, using: &random)
        let identity = try #require(directory?.identity)
        let probe = DiskProbe(try #require(directory), clocks: clocks)
        probe.begin()
        try await until { FileManager.default.fileExists(atPath: path + "/node.json.probe") }
        #expect(probe.problem == nil)
        directory = nil
        let again = try DataDirectory.open(path: path, role: .storage, using: &random)
        #expect(again.identity == identity)
    }
}
