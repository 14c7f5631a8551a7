import Core

/// Checks that concern more than the form of one value.
extension NodeConfiguration {
    static func checkBackend(_ reader: inout SettingReader) {
        guard let text = reader.text(.storageBackend) else { return }
        switch text.lowercased() {
        case "sqlite": break
        case "sled":
            reader.warn(
                .storageBackend, "'sled' is no longer a backend of its own",
                "sqlite is used; write sqlite")
        default:
            reader.refuse(.storageBackend, "'\(text)' is not known", "write sqlite")
        }
    }

    /// What the role needs, and what can't go together.
    func check(_ role: NodeRole, _ reader: inout SettingReader) {
        checkTrust(role, &reader)
        checkDiscovery(role, &reader)
        if role == .storage {
            reader.miss(
                .capacity, "is not set, but a storage node needs it",
                "write the gigabytes that this node may fill")
        }
        if role == .gateway {
            reader.miss(
                .encryptionKey, "is not set, but a gateway needs it",
                "write 64 hex digits, the same on all gateways; `openssl rand -hex 32` makes them")
        }
        if replicationFactor == 1, reader.values[.replicationFactor]?.origin != .standard {
            reader.warn(
                .replicationFactor, "one copy of each chunk is lost with its disk",
                "write 3 unless the data can be made again")
        }
        checkTimes(&reader)
    }

    private func checkTimes(_ reader: inout SettingReader) {
        if garbageGrace < .seconds(60) {
            reader.warn(
                .garbageGrace,
                "a download longer than this breaks when its object is overwritten",
                "write 1m or more unless this is a test")
        }
        if sweepAge < .seconds(3600) {
            reader.warn(
                .sweepAge, "an upload that takes longer than this is refused at its end",
                "write 1h or more unless this is a test")
        }
    }

    private func checkTrust(_ role: NodeRole, _ reader: inout SettingReader) {
        if reader.text(.joinToken) != nil {
            reader.refuse(
                .joinToken, "joining by a token is not available yet",
                "remove it and set CLUSTER_SECRET or CLUSTER_SECRET_FILE")
        }
        reader.miss(
            .clusterSecret, "is not set, but a \(role.rawValue) node needs it",
            "write 64 hex digits, the same on all nodes; `openssl rand -hex 32` makes them")
    }
}
