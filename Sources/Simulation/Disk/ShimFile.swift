import GRDBSQLite

/// An open file as SQLite holds it: our header, and behind it the file of the VFS below, in memory
/// that SQLite allocates as one piece.
struct ShimFile {
    typealias Pointer = UnsafeMutablePointer<sqlite3_file>

    /// Must come first: it is all that SQLite knows of the file.
    private var base = sqlite3_file()
    /// The number that ``DiskState`` gave; 0 for SQLite's temporary files, which no power cut
    /// leaves and no fault meets.
    private(set) var handle = 0

    /// Where the lower file begins. A multiple of its alignment.
    static let headerBytes = (MemoryLayout<ShimFile>.size + 15) / 16 * 16

    static func handle(of file: Pointer) -> Int {
        UnsafeMutableRawPointer(file).assumingMemoryBound(to: ShimFile.self).pointee.handle
    }

    static func lower(of file: Pointer) -> Pointer {
        (UnsafeMutableRawPointer(file) + headerBytes).assumingMemoryBound(to: sqlite3_file.self)
    }

    /// The lower file's functions. Only of files that are open.
    static func lowerMethods(of file: Pointer) -> sqlite3_io_methods {
        lower(of: file).pointee.pMethods.pointee
    }

    // MARK: Open and close

    /// The VFS's `xOpen`. After a failure the file has no methods, and SQLite does not close it.
    static func open(
        _ file: Pointer, name: UnsafePointer<CChar>?, flags: Int32,
        flagsOut: UnsafeMutablePointer<Int32>?, below: UnsafeMutablePointer<sqlite3_vfs>
    ) -> Int32 {
        let shim = UnsafeMutableRawPointer(file).bindMemory(to: ShimFile.self, capacity: 1)
        shim.initialize(to: ShimFile())
        let lower = lower(of: file)
        lower.pointee.pMethods = nil
        let code = below.pointee.xOpen(below, name, lower, flags, flagsOut)
        guard code == SQLITE_OK else {
            if lower.pointee.pMethods != nil { _ = lowerMethods(of: file).xClose(lower) }
            return code
        }
        if let name, flags & SQLITE_OPEN_DELETEONCLOSE == 0 {
            let path = String(cString: name)
            guard let handle = SimulatedFiles.state.withLock({ $0.open(path) }) else {
                _ = lowerMethods(of: file).xClose(lower)
                return SQLITE_CANTOPEN
            }
            shim.pointee.handle = handle
        }
        shim.pointee.base.pMethods = methods
        return SQLITE_OK
    }

    static func close(_ file: Pointer) -> Int32 {
        let code = lowerMethods(of: file).xClose(lower(of: file))
        let handle = handle(of: file)
        SimulatedFiles.state.withLock { $0.close(handle) }
        return code
    }
}
