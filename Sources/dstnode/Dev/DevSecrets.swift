import Core
import Foundation

/// Secrets of a dev cluster: drawn once, kept for its owner alone.
struct DevSecrets: Sendable {
    let clusterSecret: String
    let encryptionKey: String
    let rootAccessKey: String
    let rootSecretKey: String

    /// Reads them, or draws those that are missing.
    init(in home: DevHome) throws {
        try FileManager.default.createDirectory(
            atPath: home.secretsPath, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        var random = SystemRandomNumberGenerator()
        func secret(_ name: String, _ make: (inout SystemRandomNumberGenerator) -> String) throws
            -> String
        {
            let path = home.secretsPath + "/" + name
            if let known = try? String(contentsOfFile: path, encoding: .utf8),
                !known.trimmingCharacters(in: .whitespacesAndNewlines).isEmpty
            {
                return known.trimmingCharacters(in: .whitespacesAndNewlines)
            }
            let new = make(&random)
            try DurableFile.replace(path, with: Array((new + "\n").utf8), mode: 0o600)
            return new
        }
        clusterSecret = try secret("cluster-secret") { Self.hex(32, &$0) }
        encryptionKey = try secret("encryption-key") { Self.hex(32, &$0) }
        rootAccessKey = try secret("root-access-key") {
            "dev-\(Self.text(16, from: "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", &$0))"
        }
        rootSecretKey = try secret("root-secret-key") {
            let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
            return Self.text(40, from: letters, &$0)
        }
    }

    private static func hex(_ bytes: Int, _ random: inout SystemRandomNumberGenerator) -> String {
        Hex.encode((0..<bytes).map { _ in UInt8.random(in: .min ... .max, using: &random) })
    }

    private static func text(
        _ count: Int, from letters: String, _ random: inout SystemRandomNumberGenerator
    ) -> String {
        let letters = Array(letters)
        return String(
            (0..<count).map { _ in letters[Int.random(in: 0..<letters.count, using: &random)] })
    }
}
