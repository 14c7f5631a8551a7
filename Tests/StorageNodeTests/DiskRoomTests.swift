import Core
import Testing

@testable import ChunkStore
@testable import StorageNode

private func usage(chunks: Int = 0, used: Int = 0, free: Int, capacity: Int) -> ChunkStoreUsage {
    ChunkStoreUsage(
        chunkCount: chunks, usedBytes: used, freeBytes: free, capacityBytes: capacity,
        segmentCount: 0)
}

@Suite struct DiskRoomTests {
    @Test func `a new node without room is refused, one with chunks goes on`() {
        let tiny = usage(free: 60 << 20, capacity: 10 << 30)
        #expect(
            throws: TooLittleRoom(path: "/data", freeBytes: 60 << 20, capacityBytes: 10 << 30)
        ) { try DiskRoom.check(tiny, path: "/data") }
        #expect(throws: Never.self) {
            try DiskRoom.check(
                usage(chunks: 1, used: 1 << 20, free: 0, capacity: 10 << 30), path: "/data")
        }
        // The least capacity that may be set, on a disk that holds it.
        #expect(throws: Never.self) {
            try DiskRoom.check(usage(free: 64 << 20, capacity: 64 << 20), path: "/data")
        }
    }

    @Test func `a disk smaller than the capacity is a problem`() {
        #expect(DiskRoom.problem(usage(free: 10 << 30, capacity: 10 << 30)) == nil)
        #expect(
            DiskRoom.problem(
                usage(chunks: 9, used: 4 << 30, free: 6 << 30, capacity: 10 << 30)) == nil)
        let text = DiskRoom.problem(
            usage(chunks: 9, used: 1 << 30, free: 3 << 30, capacity: 10 << 30))
        #expect(
            text == "CAPACITY_GB is 10 GiB, but the disk has room for 4 GiB of it: make room, or "
                + "set less")
    }
}
