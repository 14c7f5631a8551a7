import ChunkStore
import Messages

/// What callers are told of the store's errors. One border, exhaustive.
struct ChunkStatus {
    let status: ProtoChunkStatus
    let detail: String

    init(_ error: ChunkStoreError) {
        switch error {
        case .notFound: (status, detail) = (.notFound, "")
        case .deleted: (status, detail) = (.deleted, "")
        case .corrupt(let chunk): (status, detail) = (.corrupt, "\(chunk) is corrupt here")
        case .full: (status, detail) = (.full, "no room")
        case .invalid(_, let text): (status, detail) = (.invalid, text)
        // The caller goes elsewhere, as for a node that is about to leave.
        case .overloaded: (status, detail) = (.stopping, "too much waits already")
        case .closed: (status, detail) = (.stopping, "the store is closed")
        case .diskFailed(let text), .unusable(let text):
            (status, detail) = (.diskFailed, text)
        }
    }
}
