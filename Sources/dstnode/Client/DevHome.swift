import Core
import Foundation

/// The directory of a dev cluster: what it keeps besides its nodes' data.
///
/// | file | |
/// |---|---|
/// | `client.env` | shell variables for stock S3 clients |
/// | `addresses` | a line `name host:port` per node |
/// | `secrets/` | cluster secret, encryption key, root key; the owner's alone |
/// | `nodes/NAME/` | data directory of each node |
struct DevHome: Sendable {
    let path: String

    var clientEnvironmentPath: String { path + "/client.env" }
    var addressesPath: String { path + "/addresses" }
    var secretsPath: String { path + "/secrets" }

    func nodePath(_ name: String) -> String { path + "/nodes/" + name }

    /// Variables of `client.env`.
    func clientEnvironment() throws -> [String: String] {
        let text = try String(contentsOfFile: clientEnvironmentPath, encoding: .utf8)
        var variables: [String: String] = [:]
        for line in text.split(separator: "\n") where line.hasPrefix("export ") {
            let pair = line.dropFirst("export ".count).split(separator: "=", maxSplits: 1)
            if pair.count == 2 { variables[String(pair[0])] = String(pair[1]) }
        }
        return variables
    }

    /// Nodes by name, in the order they were started.
    func addresses() throws -> [(name: String, address: HostPort)] {
        let text = try String(contentsOfFile: addressesPath, encoding: .utf8)
        return text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count == 2, let address = HostPort(words[1]) else { return nil }
            return (String(words[0]), address)
        }
    }
}
