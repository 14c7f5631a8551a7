import Core
import Synchronization

/// Puts a large extent on the disk front to back, in whole pages and past the page cache; its first
/// page, which begins with the header, comes last.
///
/// ```
/// extent   ├ first page: header, payload ┼──── window ────┼──── window ────┼ rest, zeros ┤
/// written             last                     1st              2nd             3rd
/// ```
///
/// Chunks are written once and mostly not read soon: kept in the page cache they would cost a copy
/// each into memory that the kernel must find first, which was most of a large write's time.
struct ExtentPages: ~Copyable {
    private let file: any ChunkFile
    /// Of the extent in the file.
    private let offset: Int
    private let memory: PageMemory
    private let pool: PageMemoryPool
    /// Bytes of the extent that came before the window: the first page, and what was written.
    private var windowStart = PageMemory.pageBytes
    /// Where the next byte of the extent goes.
    private var position: Int

    init(file: any ChunkFile, extent: Extent, headerBytes: Int, pool: PageMemoryPool) {
        precondition(headerBytes <= PageMemory.pageBytes, "the header is in the first page")
        self.file = file
        self.pool = pool
        offset = extent.offset
        memory = pool.take()
        position = headerBytes
    }

    deinit { pool.give(memory) }

    /// Copies the bytes, and writes what fills the window. Blocks.
    mutating func append(_ bytes: UnsafeRawBufferPointer) throws(DiskError) {
        var rest = bytes
        while !rest.isEmpty {
            // The first page is followed by the window both here and, at first, in the extent.
            let place = placeInMemory
            let end = place < PageMemory.pageBytes ? PageMemory.pageBytes : memory.bytes.count
            let count = min(rest.count, end - place)
            memory.bytes.part(place..<place + count).copyMemory(from: rest.part(0..<count))
            rest = rest.part(count..<rest.count)
            position += count
            if placeInMemory == memory.bytes.count { try writeWindow() }
        }
    }

    private var placeInMemory: Int {
        position < PageMemory.pageBytes
            ? position : PageMemory.pageBytes + position - windowStart
    }

    private mutating func writeWindow() throws(DiskError) {
        try file.writePages(
            memory.pages(PageMemory.pageBytes..<memory.bytes.count), at: offset + windowStart)
        windowStart = position
    }

    /// Writes what is left, and the header with the first page last. Blocks.
    mutating func finish(header: [UInt8]) throws(DiskError) {
        memory.bytes.copyBytes(from: header)
        let used = placeInMemory
        let page = PageMemory.pageBytes
        let end = (used + page - 1) / page * page
        memory.bytes.part(used..<end).initializeMemory(as: UInt8.self, repeating: 0)
        if windowStart == page {
            try file.writePages(memory.pages(0..<end), at: offset)
        } else {
            if end > page {
                try file.writePages(memory.pages(page..<end), at: offset + windowStart)
            }
            try file.writePages(memory.pages(0..<page), at: offset)
        }
    }
}

/// A page and a window behind it, aligned as writing past the page cache demands.
final class PageMemory: Sendable {
    static let pageBytes = ChunkStoreLimits.alignment

    // Used by the one who took it from the pool.
    nonisolated(unsafe) let bytes: UnsafeMutableRawBufferPointer

    init() {
        bytes = .allocate(
            byteCount: Self.pageBytes + ChunkStoreLimits.writeWindowBytes,
            alignment: Self.pageBytes)
    }

    deinit { bytes.deallocate() }

    func pages(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(bytes).part(range)
    }
}

/// Keeps some memory of writes that have ended: fresh memory costs a page fault every 4 KiB.
final class PageMemoryPool: Sendable {
    private let kept = Mutex<[PageMemory]>([])

    func take() -> PageMemory {
        kept.withLock { $0.popLast() } ?? PageMemory()
    }

    func give(_ memory: PageMemory) {
        kept.withLock { kept in
            if kept.count < ChunkStoreLimits.writeWindowsKeptMax { kept.append(memory) }
        }
    }
}
