import GRDBSQLite

/// Reading, writing and syncing: what is remembered and what can be made to fail.
///
/// The lock is held while the file below is at work, so that the order of the changes that are
/// remembered is the order in which they were made.
extension ShimFile {
    // The headers hide what is made of other constants.
    private static let readFailed = SQLITE_IOERR | 1 << 8
    private static let syncFailed = SQLITE_IOERR | 4 << 8

    static func read(
        _ file: Pointer, into bytes: UnsafeMutableRawPointer, count: Int32, at offset: Int64
    ) -> Int32 {
        let handle = handle(of: file)
        return SimulatedFiles.state.withLock { state in
            if state.failsReads(handle) { return readFailed }
            let code = lowerMethods(of: file).xRead(lower(of: file), bytes, count, offset)
            if code == SQLITE_OK { state.count(handle, DiskCounters(bytesRead: Int(count))) }
            return code
        }
    }

    static func write(
        _ file: Pointer, _ bytes: UnsafeRawPointer, count: Int32, at offset: Int64
    ) -> Int32 {
        let handle = handle(of: file)
        SimulatedFiles.announce(.write, of: handle)
        return SimulatedFiles.state.withLock { state in
            let room = state.takeRoom(for: Int(count), by: handle)
            if room > 0 {
                let range = Int(offset)..<Int(offset) + room
                var code = remember(file, range: range, in: &state)
                if code != SQLITE_OK { return code }
                code = lowerMethods(of: file).xWrite(
                    lower(of: file), bytes, Int32(room), offset)
                if code != SQLITE_OK { return code }
                state.count(handle, DiskCounters(bytesWritten: room))
            }
            return room < count ? SQLITE_FULL : SQLITE_OK
        }
    }

    static func resize(_ file: Pointer, to newSize: Int64) -> Int32 {
        let handle = handle(of: file)
        SimulatedFiles.announce(.resize, of: handle)
        return SimulatedFiles.state.withLock { state in
            if state.isTracked(handle) {
                var oldSize: Int64 = 0
                var code = lowerMethods(of: file).xFileSize(lower(of: file), &oldSize)
                if code != SQLITE_OK { return code }
                var oldBytes: [UInt8] = []
                if newSize < oldSize {
                    code = read(file, Int(newSize)..<Int(oldSize), &oldBytes)
                    if code != SQLITE_OK { return code }
                }
                state.resized(
                    handle, to: Int(newSize), oldSize: Int(oldSize), oldBytes: oldBytes)
            }
            return lowerMethods(of: file).xTruncate(lower(of: file), newSize)
        }
    }

    static func sync(_ file: Pointer, flags: Int32) -> Int32 {
        let handle = handle(of: file)
        SimulatedFiles.announce(.sync, of: handle)
        return SimulatedFiles.state.withLock { state in
            if state.failsSyncs(handle) { return syncFailed }
            let code = lowerMethods(of: file).xSync(lower(of: file), flags)
            if code == SQLITE_OK {
                state.synced(handle)
                state.count(handle, DiskCounters(syncCount: 1))
            }
            return code
        }
    }

    /// Keeps what the write is about to replace. A write that fails below is kept as one that may
    /// have been made, which it may.
    private static func remember(
        _ file: Pointer, range: Range<Int>, in state: inout DiskState
    ) -> Int32 {
        let handle = handle(of: file)
        guard state.isTracked(handle) else { return SQLITE_OK }
        var oldSize: Int64 = 0
        var code = lowerMethods(of: file).xFileSize(lower(of: file), &oldSize)
        if code != SQLITE_OK { return code }
        var oldBytes: [UInt8] = []
        let end = min(range.upperBound, Int(oldSize))
        if range.lowerBound < end {
            code = read(file, range.lowerBound..<end, &oldBytes)
            if code != SQLITE_OK { return code }
        }
        state.wrote(handle, at: range, oldSize: Int(oldSize), oldBytes: oldBytes)
        return SQLITE_OK
    }

    private static func read(
        _ file: Pointer, _ range: Range<Int>, _ bytes: inout [UInt8]
    ) -> Int32 {
        bytes = [UInt8](repeating: 0, count: range.count)
        return lowerMethods(of: file).xRead(
            lower(of: file), &bytes, Int32(range.count), Int64(range.lowerBound))
    }
}
