import Core

/// One range of the object index: a deterministic state machine in one SQLite file. See
/// <doc:Catalogue>.
package final class RangeStore: CatalogueStore {
    private let file: StoreFile
    package let range: RangeID

    private init(file: StoreFile, range: RangeID) {
        self.file = file
        self.range = range
    }

    /// Opens the range's file, or makes a new one where there is none.
    ///
    /// - Throws: ``CatalogueError`` of each kind but `gap`.
    package static func open(path: String, range: RangeID) throws(CatalogueError) -> RangeStore {
        precondition(range != .system, "the system range has a store of its own")
        let file = try StoreFile(
            path: path, machine: RangeMachine(), identity: Int64(range.rawValue))
        return RangeStore(file: file, range: range)
    }

    /// Removes the files of a closed or damaged store, for a replica that begins anew.
    package static func remove(path: String) throws(CatalogueError) {
        try StoreFile.removeFiles(at: path)
    }

    package var appliedIndex: UInt64 { file.appliedIndex }
    package var durableIndex: UInt64 { file.durableIndex }
    package var note: [UInt8] { file.note }

    package func apply(
        _ entries: [CatalogueEntry], note: [UInt8]?
    ) throws(CatalogueError) -> [[UInt8]] {
        try file.apply(entries, note: note)
    }

    package func answer(_ query: [UInt8]) throws(CatalogueError) -> [UInt8] {
        try file.answer(query)
    }

    package func checkpoint() throws(CatalogueError) -> UInt64 { try file.checkpoint() }

    package func writeSnapshot(to path: String) throws(CatalogueError) -> CatalogueSnapshot {
        try file.writeSnapshot(to: path)
    }

    package func install(snapshot path: String) throws(CatalogueError) -> CatalogueSnapshot {
        try file.install(snapshot: path)
    }

    package func close() { file.close() }

    /// SHA-256 over all content: equal on replicas that applied the same entries.
    package func contentDigest() throws(CatalogueError) -> [UInt8] { try file.contentDigest() }
}
