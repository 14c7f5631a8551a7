/// Where a secret is kept, as an operator writes it.
///
/// ```
/// aws:arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME
/// gcp:projects/P/secrets/S/versions/V
/// azure:https://VAULT.vault.azure.net/secrets/NAME
/// ```
package enum SecretReference: Sendable, Equatable {
    case aws(arn: String, region: String)
    /// `projects/P/secrets/S/versions/V`; V may be `latest`.
    case gcp(name: String)
    /// The vault's host, and `/secrets/NAME` or `/secrets/NAME/VERSION`.
    case azure(vault: String, path: String)

    /// - Throws: ``CloudError/badReference(_:advice:)``.
    package init(_ text: String) throws(CloudError) {
        let scheme = text.prefix { $0 != ":" }
        let rest = String(text.dropFirst(scheme.count + 1))
        let found: SecretReference? =
            switch scheme {
            case "aws": Self.aws(rest)
            case "gcp": Self.gcp(rest)
            case "azure": Self.azure(rest)
            default: nil
            }
        guard let found, text.utf8.count <= 2048 else {
            throw .badReference(
                String(text.prefix(200)), advice: Self.advice(String(scheme)))
        }
        self = found
    }

    private static func advice(_ scheme: String) -> String {
        switch scheme {
        case "aws": "write aws:arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME"
        case "gcp": "write gcp:projects/PROJECT/secrets/NAME/versions/latest"
        case "azure": "write azure:https://VAULT.vault.azure.net/secrets/NAME"
        default: "there is no '\(scheme.prefix(40))'; write aws:…, gcp:… or azure:…"
        }
    }

    /// `arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME`
    private static func aws(_ arn: String) -> SecretReference? {
        let parts = arn.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 7, parts[0] == "arn", parts[1].hasPrefix("aws"),
            parts[2] == "secretsmanager", AWSMetadata.isRegion(parts[3]), !parts[4].isEmpty,
            parts[5] == "secret", !parts[6].isEmpty, arn.utf8.allSatisfy({ $0 > 32 && $0 < 127 })
        else { return nil }
        return .aws(arn: arn, region: parts[3])
    }

    private static func gcp(_ name: String) -> SecretReference? {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 6, parts[0] == "projects", parts[2] == "secrets",
            parts[4] == "versions", GCPMetadata.isProject(parts[1]), isName(parts[3]),
            isName(parts[5])
        else { return nil }
        return .gcp(name: name)
    }

    /// The domains of key vaults: the token of the VM's identity goes nowhere else.
    private static let vaultDomains = [
        ".vault.azure.net", ".vault.azure.cn", ".vault.usgovcloudapi.net",
    ]

    private static func azure(_ url: String) -> SecretReference? {
        guard let (endpoint, rest) = CloudEndpoint.split(url), endpoint.isSecure,
            endpoint.port == nil
        else { return nil }
        let path = rest.hasSuffix("/") ? String(rest.dropLast()) : rest
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let isVault = vaultDomains.contains { domain in
            endpoint.host.hasSuffix(domain)
                && isName(String(endpoint.host.dropLast(domain.count)))
        }
        guard isVault, (3...4).contains(parts.count), parts[0].isEmpty, parts[1] == "secrets",
            parts[2...].allSatisfy(isName)
        else { return nil }
        return .azure(vault: endpoint.host, path: path)
    }

    /// Letters, digits, `-` and `_`: nothing that could end a part of a path.
    private static func isName(_ text: String) -> Bool {
        (1...255).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }

    package var cloud: Cloud {
        switch self {
        case .aws: .aws
        case .gcp: .gcp
        case .azure: .azure
        }
    }
}
