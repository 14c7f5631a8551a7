/// Tables of a range. Keys are BLOBs: SQLite compares them as bytes.
///
/// `heads` is what HEAD and LIST read: what a listing shows comes first in the row, then the head,
/// then a short description of the body; inline and long bodies have rows of their own in
/// `bodies`.
enum RangeSchema {
    /// Every chunk that a row of `heads`, `parts` or `garbage` names, under
    /// ``NamedChunks/key(_:)``.
    static let named = "CREATE TABLE named (chunk BLOB PRIMARY KEY) WITHOUT ROWID"

    static let tables = [
        // A version of 0 is the null version; others will come before it (newest first).
        // checksum: algorithm << 1 | composite. kind: RangeBodyKind.
        """
        CREATE TABLE heads (
            bucket INTEGER NOT NULL, key BLOB NOT NULL, version INTEGER NOT NULL,
            size INTEGER NOT NULL, modified INTEGER NOT NULL, etag TEXT NOT NULL,
            checksum INTEGER NOT NULL, kind INTEGER NOT NULL, body_row INTEGER,
            head BLOB NOT NULL, body BLOB,
            PRIMARY KEY (bucket, key, version)
        ) WITHOUT ROWID
        """,
        "CREATE TABLE bodies (row INTEGER PRIMARY KEY, body BLOB NOT NULL)",
        """
        CREATE TABLE uploads (
            bucket INTEGER NOT NULL, key BLOB NOT NULL, upload BLOB NOT NULL,
            value BLOB NOT NULL,
            PRIMARY KEY (bucket, key, upload)
        ) WITHOUT ROWID
        """,
        // Of uploads under way, of completed objects, and of removed ones until their chunks are
        // gone. value: Part without body and offset.
        """
        CREATE TABLE parts (
            upload BLOB NOT NULL, number INTEGER NOT NULL,
            size INTEGER NOT NULL, etag TEXT NOT NULL, kind INTEGER NOT NULL,
            value BLOB NOT NULL, body BLOB NOT NULL,
            PRIMARY KEY (upload, number)
        ) WITHOUT ROWID
        """,
        // Where each part of a completed object begins.
        """
        CREATE TABLE layouts (
            upload BLOB NOT NULL, offset INTEGER NOT NULL, number INTEGER NOT NULL,
            PRIMARY KEY (upload, offset)
        ) WITHOUT ROWID
        """,
        // chunks: ChunkIDs, one after the other. upload: all parts of it instead.
        """
        CREATE TABLE garbage (
            row INTEGER PRIMARY KEY, queued INTEGER NOT NULL, chunks BLOB, upload BLOB
        )
        """,
        "CREATE TABLE repairs (row INTEGER PRIMARY KEY, chunk BLOB NOT NULL, node BLOB NOT NULL)",
        named,
        """
        CREATE TABLE fences (
            bucket INTEGER PRIMARY KEY, fenced INTEGER NOT NULL, is_confirmed INTEGER NOT NULL
        )
        """,
        "CREATE INDEX open_fences ON fences (bucket) WHERE is_confirmed = 0",
    ]

    /// Bucket ids in an order-preserving form: SQLite's integers are signed.
    static func column(_ bucket: UInt64) -> Int64 { Int64(bitPattern: bucket ^ 1 << 63) }

    static func bucket(_ column: Int64) -> UInt64 { UInt64(bitPattern: column) ^ 1 << 63 }
}

/// Where the bytes of an object or part are; as stored.
enum RangeBodyKind: Int64 {
    case inline = 1
    case chunked = 2
    case multipart = 3
}
