import Core
import Foundation
import Messages
import Synchronization

/// The cluster's key-encryption keys: the current one seals, the older ones still open.
///
/// Data keys are sealed with AES-256-GCM under random nonces: SP 800-38D bounds that to 2^32 seals
/// for one key, after which the operator rotates it.
package struct KeyRing: Sendable {
    private struct Entry: Sendable {
        let key: [UInt8]
        /// Seals owner records: bound to another purpose than the key it comes from.
        let ownerKey: [UInt8]
    }
    private let entries: [UInt64: Entry]
    private let missing = MissingKeys()
    /// Identifier of the key that seals.
    package let current: UInt64

    /// - Parameters:
    ///   - current: 32 bytes.
    ///   - older: 32 bytes each.
    package init(current: [UInt8], older: [[UInt8]] = []) {
        var entries: [UInt64: Entry] = [:]
        for key in older + [current] {
            precondition(key.count == BlockCipher.keyBytes, "the configuration has checked it")
            entries[Self.identifier(of: key)] = Entry(
                key: key, ownerKey: HMACSHA256.derive(from: key, info: OwnerRecord.keyPurpose))
        }
        self.entries = entries
        self.current = Self.identifier(of: current)
    }

    /// First eight bytes, big-endian, of SHA-256 of the key.
    package static func identifier(of key: [UInt8]) -> UInt64 {
        Digest.of(key, .sha256).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    package func wrap(_ dataKey: [UInt8], random: Randomness) -> ProtoWrappedKey {
        precondition(dataKey.count == BlockCipher.keyBytes)
        guard let entry = entries[current] else { preconditionFailure("the current key is there") }
        var cipher = BlockCipher(key: entry.key)
        let nonce = random.bytes(BlockCipher.nonceBytes)
        var wrapped = ProtoWrappedKey()
        wrapped.kek = current
        wrapped.nonce = Data(nonce)
        wrapped.sealed = Data(cipher.seal(dataKey, nonce: nonce))
        return wrapped
    }

    /// - Throws: ``ObjectStoreError/damaged(_:)`` for a key that is not on the ring, or a record
    ///   that is not what was sealed.
    package func unwrap(_ wrapped: ProtoWrappedKey) throws(ObjectStoreError) -> [UInt8] {
        guard let entry = entries[wrapped.kek] else {
            missing.insert(wrapped.kek)
            let name = Hex.encode(wrapped.kek.bigEndianBytes)
            throw .damaged("key-encryption key \(name) is not configured on this gateway")
        }
        guard wrapped.nonce.count == BlockCipher.nonceBytes else {
            throw .damaged("a wrapped data key has a nonce of \(wrapped.nonce.count) bytes")
        }
        var cipher = BlockCipher(key: entry.key)
        guard
            let key = cipher.open(Array(wrapped.sealed), nonce: Array(wrapped.nonce)),
            key.count == BlockCipher.keyBytes
        else { throw .damaged("a wrapped data key does not open") }
        return key
    }

    func ownerKey(_ kek: UInt64) -> [UInt8]? { entries[kek]?.ownerKey }

    /// For operators: that objects were met which no key of this ring opens; `nil` where none were.
    package var problem: String? {
        let names = missing.all
        if names.isEmpty { return nil }
        return "objects were sealed with another ENCRYPTION_KEY ("
            + names.map { Hex.encode($0.bigEndianBytes) }.joined(separator: ", ")
            + ") than those of this gateway: give all gateways the same, the other values behind it"
    }
}

/// Identifiers of keys that were looked for and are not on the ring; the first few.
private final class MissingKeys: Sendable {
    private static let countMax = 4
    private let names = Mutex<Set<UInt64>>([])

    var all: [UInt64] { names.withLock { $0.sorted() } }

    func insert(_ name: UInt64) {
        names.withLock { if $0.count < Self.countMax { $0.insert(name) } }
    }
}

/// Nonce of one block of a body: four zero bytes, then the block's number, big-endian. Block `i` of
/// chunk `j` has the number `j * 128 + i`; a data key seals one body only, so none comes twice.
func blockNonce(_ block: Int) -> [UInt8] {
    precondition(block >= 0)
    return [UInt8](unsafeUninitializedCapacity: BlockCipher.nonceBytes) { buffer, count in
        for index in 0..<4 { buffer[index] = 0 }
        for index in 0..<8 {
            buffer[4 + index] = UInt8(truncatingIfNeeded: block >> (56 - index * 8))
        }
        count = BlockCipher.nonceBytes
    }
}

let blocksPerChunk = Limits.chunkBytesMax / Limits.blockBytes
