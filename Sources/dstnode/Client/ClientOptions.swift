import ArgumentParser
import Core
import Foundation

/// Which cluster a tool talks to, and as whom: flags, else a dev cluster's `client.env`, else the
/// variables that stock S3 clients read, else, in a gateway's container, that gateway as root.
struct ClientOptions: ParsableArguments {
    @Option(help: "URL of a gateway. Default: AWS_ENDPOINT_URL.")
    var endpoint: String?
    @Option(help: "Access key. Default: AWS_ACCESS_KEY_ID.")
    var accessKey: String?
    @Option(help: "File with its secret. Default: AWS_SECRET_ACCESS_KEY.")
    var secretKeyFile: String?
    @Option(help: "Region to sign for. Default: AWS_REGION, else us-east-1.")
    var region: String?
    @Option(help: "Directory of a dev cluster (.dstorage): its client.env counts as environment.")
    var home: String?

    /// Whether a flag or the environment says which gateway to ask.
    func namesGateway(_ environment: [String: String]) -> Bool {
        endpoint != nil || home != nil || !(environment["AWS_ENDPOINT_URL"] ?? "").isEmpty
    }

    func client() throws -> SignedClient {
        var environment = ProcessInfo.processInfo.environment
        environment.merge(try LocalNode.clientEnvironment(environment)) { given, _ in given }
        if let home {
            environment.merge(try DevHome(path: home).clientEnvironment()) { $1 }
        }
        var missing: [String] = []
        func needed(_ flag: String?, _ name: String) -> String {
            if let value = flag ?? environment[name], !value.isEmpty { return value }
            missing.append(name)
            return ""
        }
        let url = needed(endpoint, "AWS_ENDPOINT_URL")
        let access = needed(accessKey, "AWS_ACCESS_KEY_ID")
        let secret: String
        if let secretKeyFile {
            secret = try String(contentsOfFile: secretKeyFile, encoding: .utf8)
                .trimmingCharacters(in: .whitespacesAndNewlines)
        } else {
            secret = needed(nil, "AWS_SECRET_ACCESS_KEY")
        }
        guard missing.isEmpty else {
            throw ValidationError(
                "\(missing.joined(separator: ", ")) not set: set it, or name a dev cluster by --home"
            )
        }
        return try SignedClient(
            endpoint: url, accessKey: access, secret: secret,
            region: region ?? environment["AWS_REGION"] ?? "us-east-1")
    }
}
