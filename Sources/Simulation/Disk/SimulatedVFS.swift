import Core
import Foundation
import GRDBSQLite

/// The table of functions through which SQLite finds files: it opens them as ``ShimFile``, draws
/// random numbers from the seed, and passes everything else to the VFS below.
enum SimulatedVFS {
    private typealias VFS = UnsafeMutablePointer<sqlite3_vfs>

    /// - Returns: A VFS that lives as long as the process.
    static func make(
        over below: UnsafeMutablePointer<sqlite3_vfs>
    ) -> UnsafeMutablePointer<sqlite3_vfs> {
        let made = UnsafeMutablePointer<sqlite3_vfs>.allocate(capacity: 1)
        made.initialize(to: sqlite3_vfs())
        // Version 3 would let tests replace system calls.
        made.pointee.iVersion = 2
        made.pointee.szOsFile = Int32(ShimFile.headerBytes) + below.pointee.szOsFile
        made.pointee.mxPathname = below.pointee.mxPathname
        made.pointee.zName = UnsafePointer(strdup("simulated"))
        made.pointee.pAppData = UnsafeMutableRawPointer(below)
        setFileFunctions(of: made)
        setLibraryFunctions(of: made)
        setSystemFunctions(of: made)
        return made
    }

    private static func below(_ vfs: VFS?) -> VFS {
        guard let below = vfs?.pointee.pAppData else { preconditionFailure("not our VFS") }
        return below.assumingMemoryBound(to: sqlite3_vfs.self)
    }

    private static func setFileFunctions(of made: VFS) {
        made.pointee.xOpen = { vfs, name, file, flags, flagsOut in
            guard let file else { return SQLITE_MISUSE }
            return ShimFile.open(
                file, name: name, flags: flags, flagsOut: flagsOut, below: SimulatedVFS.below(vfs))
        }
        made.pointee.xDelete = { vfs, name, syncsDirectory in
            let below = SimulatedVFS.below(vfs)
            if let name { SimulatedFiles.announce(.delete, of: String(cString: name)) }
            let code = below.pointee.xDelete(below, name, syncsDirectory)
            SimulatedFiles.state.withLock { $0.sweep() }
            return code
        }
        made.pointee.xAccess = { vfs, name, flags, result in
            let below = SimulatedVFS.below(vfs)
            return below.pointee.xAccess(below, name, flags, result)
        }
        made.pointee.xFullPathname = { vfs, name, count, result in
            let below = SimulatedVFS.below(vfs)
            return below.pointee.xFullPathname(below, name, count, result)
        }
    }

    private static func setLibraryFunctions(of made: VFS) {
        made.pointee.xDlOpen = { vfs, name in
            let below = SimulatedVFS.below(vfs)
            return below.pointee.xDlOpen(below, name)
        }
        made.pointee.xDlError = { vfs, count, message in
            let below = SimulatedVFS.below(vfs)
            below.pointee.xDlError(below, count, message)
        }
        made.pointee.xDlSym = { vfs, library, name in
            let below = SimulatedVFS.below(vfs)
            return below.pointee.xDlSym(below, library, name)
        }
        made.pointee.xDlClose = { vfs, library in
            let below = SimulatedVFS.below(vfs)
            below.pointee.xDlClose(below, library)
        }
    }

    private static func setSystemFunctions(of made: VFS) {
        made.pointee.xRandomness = { vfs, count, bytes in
            let below = SimulatedVFS.below(vfs)
            // Also when its bytes are not used: it notes by this that the process has not forked,
            // and would otherwise begin the random numbers anew at the next open.
            let drawn = below.pointee.xRandomness(below, count, bytes)
            guard let bytes else { return drawn }
            return SimulatedFiles.state.withLock { state in
                state.random == nil
                    ? drawn : SimulatedVFS.fill(bytes, Int(count), from: &state.random)
            }
        }
        made.pointee.xSleep = { vfs, microseconds in
            let below = SimulatedVFS.below(vfs)
            return below.pointee.xSleep(below, microseconds)
        }
        made.pointee.xCurrentTime = { vfs, result in
            let below = SimulatedVFS.below(vfs)
            return below.pointee.xCurrentTime(below, result)
        }
        made.pointee.xCurrentTimeInt64 = { vfs, result in
            let below = SimulatedVFS.below(vfs)
            return below.pointee.xCurrentTimeInt64(below, result)
        }
        made.pointee.xGetLastError = { vfs, count, message in
            let below = SimulatedVFS.below(vfs)
            return below.pointee.xGetLastError(below, count, message)
        }
    }

    /// - Returns: The number of bytes.
    private static func fill(
        _ bytes: UnsafeMutablePointer<CChar>, _ count: Int, from random: inout SeededRandom?
    ) -> Int32 {
        for index in 0..<count {
            bytes[index] = CChar(truncatingIfNeeded: random?.next() ?? 0)
        }
        return Int32(count)
    }
}
