import GRDBSQLite

/// The functions of an open file, as SQLite finds them: content goes to ``ShimFile``, locks and the
/// rest straight to the file below. SQLite calls none of them without a file.
extension ShimFile {
    /// Written once, before anybody reads it.
    nonisolated(unsafe) static let methods: UnsafePointer<sqlite3_io_methods> = {
        let table = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
        table.initialize(to: sqlite3_io_methods())
        // Version 3 would map files into memory, and so read past us.
        table.pointee.iVersion = 2
        setContentFunctions(of: &table.pointee)
        setLockFunctions(of: &table.pointee)
        setMemoryFunctions(of: &table.pointee)
        setOtherFunctions(of: &table.pointee)
        return UnsafePointer(table)
    }()

    private static func setContentFunctions(of table: inout sqlite3_io_methods) {
        table.xClose = { ShimFile.close($0!) }
        table.xRead = { ShimFile.read($0!, into: $1!, count: $2, at: $3) }
        table.xWrite = { ShimFile.write($0!, $1!, count: $2, at: $3) }
        table.xTruncate = { ShimFile.resize($0!, to: $1) }
        table.xSync = { ShimFile.sync($0!, flags: $1) }
        table.xFileSize = { file, result in
            let lower = ShimFile.lower(of: file!)
            return lower.pointee.pMethods.pointee.xFileSize(lower, result)
        }
    }

    private static func setLockFunctions(of table: inout sqlite3_io_methods) {
        table.xLock = { file, level in
            let lower = ShimFile.lower(of: file!)
            return lower.pointee.pMethods.pointee.xLock(lower, level)
        }
        table.xUnlock = { file, level in
            let lower = ShimFile.lower(of: file!)
            return lower.pointee.pMethods.pointee.xUnlock(lower, level)
        }
        table.xCheckReservedLock = { file, result in
            let lower = ShimFile.lower(of: file!)
            return lower.pointee.pMethods.pointee.xCheckReservedLock(lower, result)
        }
    }

    /// The memory that the connections to a write-ahead log share.
    private static func setMemoryFunctions(of table: inout sqlite3_io_methods) {
        table.xShmMap = { file, page, pageBytes, extends, result in
            let lower = ShimFile.lower(of: file!)
            return lower.pointee.pMethods.pointee.xShmMap(lower, page, pageBytes, extends, result)
        }
        table.xShmLock = { file, first, count, flags in
            let handle = ShimFile.handle(of: file!)
            let range = Int(first)..<Int(first) + Int(count)
            if let code = SimulatedFiles.state.withLock({
                $0.lock(handle, range, flags: flags)
            }) {
                return code
            }
            let lower = ShimFile.lower(of: file!)
            return lower.pointee.pMethods.pointee.xShmLock(lower, first, count, flags)
        }
        table.xShmBarrier = { file in
            let lower = ShimFile.lower(of: file!)
            lower.pointee.pMethods.pointee.xShmBarrier(lower)
        }
        table.xShmUnmap = { file, deletes in
            let handle = ShimFile.handle(of: file!)
            SimulatedFiles.state.withLock { $0.unlockAll(handle) }
            let lower = ShimFile.lower(of: file!)
            return lower.pointee.pMethods.pointee.xShmUnmap(lower, deletes)
        }
    }

    private static func setOtherFunctions(of table: inout sqlite3_io_methods) {
        table.xFileControl = { file, operation, argument in
            let lower = ShimFile.lower(of: file!)
            return lower.pointee.pMethods.pointee.xFileControl(lower, operation, argument)
        }
        table.xSectorSize = { file in
            let lower = ShimFile.lower(of: file!)
            return lower.pointee.pMethods.pointee.xSectorSize(lower)
        }
        table.xDeviceCharacteristics = { file in
            let lower = ShimFile.lower(of: file!)
            // Batches would be made visible through file controls, past us.
            return lower.pointee.pMethods.pointee.xDeviceCharacteristics(lower)
                & ~SQLITE_IOCAP_BATCH_ATOMIC
        }
    }
}
