/// Tables of the system range. Every row carries the revision that last changed it.
enum SystemSchema {
    /// Not in the change feed: nodes need no tokens, and coordinators ask for one at a time.
    static let joinTokens =
        "CREATE TABLE join_tokens (id BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"

    static let tables = [
        // One row. value: Changes with cluster, name and settings.
        """
        CREATE TABLE cluster (row INTEGER PRIMARY KEY, value BLOB NOT NULL, \
        revision INTEGER NOT NULL)
        """,
        """
        CREATE TABLE nodes (
            id BLOB PRIMARY KEY, label TEXT NOT NULL, membership INTEGER NOT NULL,
            role INTEGER NOT NULL, value BLOB NOT NULL, revision INTEGER NOT NULL
        ) WITHOUT ROWID
        """,
        "CREATE INDEX nodes_label ON nodes (label)",
        "CREATE INDEX nodes_revision ON nodes (revision)",
        "CREATE TABLE ranges (range INTEGER PRIMARY KEY, value BLOB NOT NULL)",
        // nodes, next: NodeIDs, one after the other.
        """
        CREATE TABLE partitions (
            partition INTEGER PRIMARY KEY, nodes BLOB NOT NULL, next BLOB NOT NULL,
            revision INTEGER NOT NULL
        )
        """,
        "CREATE INDEX partitions_revision ON partitions (revision)",
        """
        CREATE TABLE buckets (
            name BLOB PRIMARY KEY, id INTEGER NOT NULL UNIQUE, value BLOB NOT NULL,
            revision INTEGER NOT NULL
        ) WITHOUT ROWID
        """,
        "CREATE INDEX buckets_revision ON buckets (revision)",
        """
        CREATE TABLE access_keys (
            id TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL
        ) WITHOUT ROWID
        """,
        "CREATE INDEX access_keys_revision ON access_keys (revision)",
        // The last deletions, for the change feed. kind: SystemDeletion.
        """
        CREATE TABLE deletions (
            revision INTEGER PRIMARY KEY, kind INTEGER NOT NULL, id BLOB NOT NULL
        )
        """,
        joinTokens,
    ]
}

/// What a row of the deletions was.
enum SystemDeletion: Int64 {
    /// id: the bucket's, eight bytes, big-endian.
    case bucket = 1
    /// id: the key's, as text.
    case accessKey = 2
}
