import ChunkStore
import Foundation

package final class SimulatedChunkFile: ChunkFile {
    private let disk: SimulatedChunkDisk
    private let number: Int

    package init(_ disk: SimulatedChunkDisk, _ number: Int) {
        self.disk = disk
        self.number = number
    }

    package func size() -> Int { disk.with { content(in: $0).size } }

    /// Empty where the disk was: its process is dead.
    private func content(
        in state: SimulatedChunkDisk.State
    ) -> SimulatedChunkDisk.Content {
        state.contents[number] ?? SimulatedChunkDisk.Content()
    }

    package func write(_ pieces: [UnsafeRawBufferPointer], at offset: Int) throws(DiskError) {
        try disk.change("write \(number) at \(offset)") { state throws(DiskError) in
            if state.isWriteFull { throw .full }
            var offset = offset
            for piece in pieces {
                Self.put(piece, at: offset, in: &state.contents[number]!)
                offset += piece.count
            }
        }
    }

    private static func put(
        _ bytes: UnsafeRawBufferPointer, at offset: Int,
        in content: inout SimulatedChunkDisk.Content
    ) {
        let size = SimulatedChunkDisk.pageBytes
        var done = 0
        while done < bytes.count {
            let page = (offset + done) / size
            let start = (offset + done) % size
            let count = min(size - start, bytes.count - done)
            content.remember(page)
            content.pages[page, default: [UInt8](repeating: 0, count: size)]
                .replaceSubrange(start..<start + count, with: bytes[done..<done + count])
            done += count
        }
        content.size = max(content.size, offset + bytes.count)
    }

    package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
        disk.with { state in
            let content = content(in: state)
            let end = min(offset + buffer.count, content.size)
            guard offset < end else { return 0 }
            let size = SimulatedChunkDisk.pageBytes
            var place = offset
            while place < end {
                let count = min(size - place % size, end - place)
                let target = UnsafeMutableRawBufferPointer(
                    rebasing: buffer[place - offset..<place - offset + count])
                if let page = content.pages[place / size] {
                    target.copyBytes(from: page[place % size..<place % size + count])
                } else {
                    target.initializeMemory(as: UInt8.self, repeating: 0)
                }
                place += count
            }
            return end - offset
        }
    }

    package func readCached(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Bool {
        let isCached = disk.with { state in
            guard state.uncachedOneIn > 0 else { return true }
            state.cachedReadCount += 1
            return state.cachedReadCount % state.uncachedOneIn != 0
        }
        return isCached && read(into: buffer, at: offset) == buffer.count
    }

    package func sync() throws(DiskError) {
        let delay = disk.with { $0.syncMicroseconds }
        if delay > 0 { usleep(delay) }
        try disk.change("sync \(number)") { state throws(DiskError) in
            if state.failsSyncs { throw .failed("EIO") }
            state.contents[number]!.history = [:]
            state.contents[number]!.durableSize = state.contents[number]!.size
            state.contents[number]!.syncCount += 1
        }
    }

    package func writePages(_ pages: UnsafeRawBufferPointer, at offset: Int) throws(DiskError) {
        try write([pages], at: offset)
    }

    package func punch(_ range: Range<Int>) throws(DiskError) {
        try disk.change("punch \(number) \(range)") { state throws(DiskError) in
            if state.failsPunches { throw .failed("EOPNOTSUPP") }
            let size = SimulatedChunkDisk.pageBytes
            precondition(range.lowerBound % size == 0 && range.upperBound % size == 0)
            for page in range.lowerBound / size..<range.upperBound / size
            where state.contents[number]!.pages[page] != nil {
                state.contents[number]!.remember(page)
                state.contents[number]!.pages[page] = nil
            }
        }
    }

    package func truncate(to bytes: Int) throws(DiskError) {
        try disk.change("truncate \(number) to \(bytes)") { state throws(DiskError) in
            state.contents[number]!.size = bytes
            for page in state.contents[number]!.pages.keys
            where page * SimulatedChunkDisk.pageBytes >= bytes {
                state.contents[number]!.remember(page)
                state.contents[number]!.pages[page] = nil
            }
        }
    }

    package func nextData(from offset: Int) -> Int? {
        disk.with { state in
            let content = content(in: state)
            let first = offset / SimulatedChunkDisk.pageBytes
            let count =
                (content.size + SimulatedChunkDisk.pageBytes - 1) / SimulatedChunkDisk.pageBytes
            guard first < count else { return nil }
            return (first..<count).first { content.pages[$0] != nil }
                .map { max(offset, $0 * SimulatedChunkDisk.pageBytes) }
        }
    }
}
