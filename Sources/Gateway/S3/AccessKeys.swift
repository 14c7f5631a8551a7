import ClusterView
import Core
import Foundation
import Messages
import Synchronization

/// Who may sign requests, and with which secrets: the root key of the configuration and the keys of
/// the cluster, unsealed.
package final class AccessKeys: Sendable {
    struct Entry: Sendable {
        let secret: String
        let isEnabled: Bool
        let isRoot: Bool
    }

    private struct State {
        var entries: [String: Entry] = [:]
        var sealed: [String: ProtoAccessKey] = [:]
    }

    private let root: (id: String, entry: Entry)?
    private let sealKeys: @Sendable () -> [[UInt8]]
    private let state = Mutex(State())

    /// - Parameters:
    ///   - root: The root key, if there is one.
    ///   - sealKeys: See `AccessKeySeal`; the current one first. A node that joins by a token has
    ///     them once it has its certificate.
    package init(
        root: (id: String, secret: String)?, sealKeys: @escaping @Sendable () -> [[UInt8]]
    ) {
        self.root = root.map {
            ($0.id, Entry(secret: $0.secret, isEnabled: true, isRoot: true))
        }
        self.sealKeys = sealKeys
    }

    func entry(_ id: String) -> Entry? {
        if let root, root.id == id { return root.entry }
        return state.withLock { $0.entries[id] }
    }

    /// Takes the keys as the cluster has them now. Called for every change of the cluster's state,
    /// so what has not changed is not unsealed again.
    package func update(_ keys: [String: ProtoAccessKey]) {
        let old = state.withLock { $0 }
        if old.sealed == keys { return }
        var new = State(entries: [:], sealed: keys)
        for (id, key) in keys.prefix(GatewayLimits.accessKeysMax) {
            if old.sealed[id] == key {
                new.entries[id] = old.entries[id]
            } else if let secret = unseal(key) {
                new.entries[id] = Entry(secret: secret, isEnabled: key.isEnabled, isRoot: false)
            }
        }
        state.withLock { [new] in $0 = new }
    }

    /// - Parameter nonce: 12 random bytes.
    /// - Returns: `nil` before the keys to seal with are known.
    func seal(secret: String, id: String, nonce: [UInt8]) -> Data? {
        guard let key = sealKeys().first else { return nil }
        var cipher = BlockCipher(key: key)
        let sealed = cipher.seal(
            Array(secret.utf8), nonce: nonce, authenticating: Array(id.utf8))
        return Data(nonce + sealed)
    }

    private func unseal(_ key: ProtoAccessKey) -> String? {
        let bytes = Array(key.sealedSecret)
        guard bytes.count > BlockCipher.nonceBytes + BlockCipher.tagBytes else { return nil }
        for sealKey in sealKeys() {
            var cipher = BlockCipher(key: sealKey)
            let plain = cipher.open(
                Array(bytes[BlockCipher.nonceBytes...]),
                nonce: Array(bytes[..<BlockCipher.nonceBytes]), authenticating: Array(key.id.utf8))
            if let plain { return String(decoding: plain, as: UTF8.self) }
        }
        return nil
    }
}
