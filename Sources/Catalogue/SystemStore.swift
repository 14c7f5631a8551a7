import Core
import Messages

/// The system range (nodes, the cluster map, buckets, access keys): a deterministic state machine
/// in one SQLite file. See <doc:Catalogue>.
package final class SystemStore: CatalogueStore {
    private let file: StoreFile

    private init(file: StoreFile) { self.file = file }

    /// Opens the range's file, or makes a new one where there is none.
    ///
    /// - Throws: ``CatalogueError`` of each kind but `gap`.
    package static func open(path: String) throws(CatalogueError) -> SystemStore {
        let file = try StoreFile(
            path: path, machine: SystemMachine(), identity: Int64(RangeID.system.rawValue))
        return SystemStore(file: file)
    }

    /// Everything with a revision above `since`; all there is for 0, or where the deletions since
    /// then are forgotten. What `answer` says to `GetChanges`, without the wire.
    package func changes(since revision: UInt64) throws(CatalogueError) -> ProtoChanges {
        let query = ProtoSystemQuery.with { $0.getChanges.since = revision }
        let bytes = try file.answer((try? query.serializedBytes()) ?? [])
        guard let answer = try? ProtoSystemAnswer(serializedBytes: bytes) else {
            throw .failed(path: file.path, detail: "the changes cannot be decoded")
        }
        return answer.changes
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
