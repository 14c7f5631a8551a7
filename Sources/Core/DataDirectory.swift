import Foundation

/// The identity of a node, kept in `node.json` in its data directory.
///
/// ```json
/// {"cluster": "…32 hex digits…", "format": 1, "node": "…", "role": "storage"}
/// ```
package struct NodeIdentity: Sendable, Equatable, Codable {
    /// Version of the data directory's layout that this program writes and reads.
    package static let formatVersion = 1

    package let node: NodeID
    /// `nil` until the node has found or formed its cluster.
    package internal(set) var cluster: ClusterID?
    package let role: NodeRole
    package let format: Int

    package init(node: NodeID, cluster: ClusterID?, role: NodeRole) {
        self.node = node
        self.cluster = cluster
        self.role = role
        self.format = Self.formatVersion
    }
}

/// Why a data directory can't be used. The process refuses to start and says so.
package enum DataDirectoryError: Error, Equatable, CustomStringConvertible {
    /// Another process works on it.
    case locked(path: String)
    case otherRole(path: String, found: NodeRole, wanted: NodeRole)
    case otherVersion(path: String, found: Int)
    case otherCluster(path: String, found: ClusterID, wanted: ClusterID)
    /// `node.json` is there and says nothing that makes sense.
    case damaged(path: String, reason: String)
    /// No `node.json`, but other files: not a directory of ours.
    case foreign(path: String, found: String)
    case notDirectory(path: String)
    case readOnly(path: String)
    case full(path: String)
    case failed(path: String, operation: String, reason: String)

    package var description: String {
        switch self {
        case .locked(let path):
            "the data directory \(path) is in use by another process: stop that one first, or give "
                + "each node its own DATA_PATH"
        case .otherRole(let path, let found, let wanted):
            "the data directory \(path) belongs to a \(found.rawValue) node, not to a "
                + "\(wanted.rawValue) node: set NODE_TYPE=\(found.rawValue), or give an empty "
                + "DATA_PATH"
        case .otherVersion(let path, let found):
            "the data directory \(path) has the format \(found); this program knows "
                + "\(NodeIdentity.formatVersion): start the version of dstnode that wrote it, or a "
                + "newer one"
        case .otherCluster(let path, let found, let wanted):
            "the data directory \(path) belongs to the cluster \(found), not to \(wanted): correct "
                + "SEED_NODES, or give an empty DATA_PATH to join as a new node"
        case .damaged(let path, let reason):
            "\(path)/node.json is damaged (\(reason)): restore it from a backup, or give an empty "
                + "DATA_PATH to join as a new node"
        case .foreign(let path, let found):
            "\(path) holds \(found) but no node.json, so it is not a data directory: give an empty "
                + "one as DATA_PATH"
        case .notDirectory(let path):
            "\(path) is not a directory: give a directory as DATA_PATH"
        case .readOnly(let path):
            "the data directory \(path) can't be written by user \(geteuid()), as whom this "
                + "process runs: check its owner, its permissions, whether the disk is mounted "
                + "read-only, and, for a systemd service, whether its ReadWritePaths name it"
        case .full(let path):
            "the disk of the data directory \(path) has too little free space (a start needs "
                + "\(ByteSize.format(DataDirectory.freeBytesMin))): make room or move it to a larger disk"
        case .failed(let path, let operation, let reason):
            "the data directory \(path) can't be used (\(operation): \(reason)): check the disk"
        }
    }
}

/// A node's directory on disk, held by this process alone.
///
/// | file | |
/// |---|---|
/// | `node.json` | identity, see ``NodeIdentity``; replaced as a whole, never changed in place |
/// | `lock` | held (`flock`) while a process works here; says its process id |
///
/// The lock ends with the process, however that ends. Roles keep their own folders beside these.
package final class DataDirectory: Sendable {
    /// Free bytes without which a start is refused: room for a checkpoint of a small node.
    package static let freeBytesMin = 16 << 20

    private static let fileName = "node.json"
    private static let lockName = "lock"

    package let path: String
    private let lock: FileHandleOwner
    private let state: LockedIdentity

    package var identity: NodeIdentity { state.value }

    /// Opens the directory, or makes a new node of an empty or missing one.
    ///
    /// - Throws: ``DataDirectoryError``; nothing was changed except that the directory may exist.
    package static func open(
        path: String, role: NodeRole, using random: inout some RandomNumberGenerator
    ) throws(DataDirectoryError) -> DataDirectory {
        try makeDirectory(path)
        let lock = try takeLock(path)
        if let identity = try read(path) {
            guard identity.role == role else {
                throw .otherRole(path: path, found: identity.role, wanted: role)
            }
            try checkWritable(path)
            return DataDirectory(path: path, lock: lock, identity: identity)
        }
        if let found = try files(in: path).first(where: { !isOurs($0) }) {
            throw .foreign(path: path, found: found)
        }
        try checkWritable(path)
        let identity = NodeIdentity(node: .random(using: &random), cluster: nil, role: role)
        try write(identity, to: path)
        return DataDirectory(path: path, lock: lock, identity: identity)
    }

    private init(path: String, lock: FileHandleOwner, identity: NodeIdentity) {
        self.path = path
        self.lock = lock
        state = LockedIdentity(identity)
    }

    /// Path of a folder or file of a role.
    package func path(of name: String) -> String { path + "/" + name }

    /// Records the cluster once it is known. Durable when it returns; repeating it is harmless.
    ///
    /// - Throws: ``DataDirectoryError/otherCluster(path:found:wanted:)`` if the node is in another.
    package func join(_ cluster: ClusterID) throws(DataDirectoryError) {
        var identity = state.value
        if identity.cluster == cluster { return }
        if let found = identity.cluster {
            throw .otherCluster(path: path, found: found, wanted: cluster)
        }
        identity.cluster = cluster
        try Self.write(identity, to: path)
        state.value = identity
    }

    // MARK: Files

    private static func read(_ path: String) throws(DataDirectoryError) -> NodeIdentity? {
        let file = path + "/" + fileName
        let bytes: Data
        do {
            bytes = try SystemFile.read(file, bytesMax: 64 << 10)
        } catch {
            if error.code == ENOENT { return nil }
            throw .failed(path: path, operation: "read \(fileName)", reason: error.reason)
        }
        struct Version: Codable { let format: Int }
        do {
            // The version first: another one may look quite different.
            let version = try JSONDecoder().decode(Version.self, from: bytes)
            guard version.format == NodeIdentity.formatVersion else {
                throw DataDirectoryError.otherVersion(path: path, found: version.format)
            }
            return try JSONDecoder().decode(NodeIdentity.self, from: bytes)
        } catch let error as DataDirectoryError {
            throw error
        } catch {
            throw .damaged(path: path, reason: "it is not the JSON that this program writes")
        }
    }

    private static func write(
        _ identity: NodeIdentity, to path: String
    ) throws(DataDirectoryError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        do {
            let bytes = try encoder.encode(identity)
            try DurableFile.replace(path + "/" + fileName, with: Array(bytes))
        } catch let error as DurableFileError {
            throw translate(SystemFile.Failure(operation: error.call, code: error.code), path: path)
        } catch {
            throw .failed(path: path, operation: "encode", reason: "\(error)")
        }
    }

    private static func makeDirectory(_ path: String) throws(DataDirectoryError) {
        do {
            try SystemFile.makeDirectory(path)
        } catch {
            if error.code == ENOTDIR || error.code == EEXIST { throw .notDirectory(path: path) }
            throw translate(error, path: path)
        }
    }

    private static func takeLock(_ path: String) throws(DataDirectoryError) -> FileHandleOwner {
        do {
            return try SystemFile.lock(path + "/" + lockName)
        } catch {
            if error.code == EWOULDBLOCK { throw .locked(path: path) }
            throw translate(error, path: path)
        }
    }

    private static func checkWritable(_ path: String) throws(DataDirectoryError) {
        let probe = path + "/" + fileName + ".probe"
        do {
            if try SystemFile.freeBytes(path) < freeBytesMin {
                throw DataDirectoryError.full(path: path)
            }
            try DurableFile.replace(probe, with: Array("probe".utf8))
            try SystemFile.remove(probe)
        } catch let error as DataDirectoryError {
            throw error
        } catch let error as DurableFileError {
            throw translate(SystemFile.Failure(operation: error.call, code: error.code), path: path)
        } catch let error as SystemFile.Failure {
            throw translate(error, path: path)
        } catch {
            throw .failed(path: path, operation: "probe", reason: "\(error)")
        }
    }

    private static func files(in path: String) throws(DataDirectoryError) -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        } catch {
            throw .failed(path: path, operation: "list", reason: error.localizedDescription)
        }
    }

    /// What an interrupted first start leaves, and what file systems put into their root.
    private static func isOurs(_ name: String) -> Bool {
        name == lockName || name == "lost+found" || name.hasPrefix(fileName)
    }

    private static func translate(
        _ failure: SystemFile.Failure, path: String
    ) -> DataDirectoryError {
        switch failure.code {
        case EROFS, EACCES, EPERM: .readOnly(path: path)
        case ENOSPC, EDQUOT: .full(path: path)
        default: .failed(path: path, operation: failure.operation, reason: failure.reason)
        }
    }
}
