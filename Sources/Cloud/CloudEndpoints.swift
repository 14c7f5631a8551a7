/// Where the services of the clouds are: the public ones unless the environment says otherwise, for
/// private endpoints and for tests. Read in one place.
package struct CloudEndpoints: Sendable, Equatable {
    package static let environmentNames = [
        "DST_AWS_EC2_ENDPOINT", "DST_AWS_IMDS_ENDPOINT", "DST_AWS_AUTOSCALING_ENDPOINT",
        "DST_AWS_SECRETS_ENDPOINT", "DST_GCP_COMPUTE_ENDPOINT", "DST_GCP_SECRETS_ENDPOINT",
        "DST_AZURE_IMDS_ENDPOINT", "DST_AZURE_ARM_ENDPOINT", "DST_AZURE_VAULT_ENDPOINT",
    ]
    /// Google's own name for its own override: a host, perhaps with a port, without a scheme.
    package static let metadataHostName = "GCE_METADATA_HOST"

    private var overrides: [String: CloudEndpoint] = [:]
    package private(set) var gcpMetadata = CloudEndpoint(
        isSecure: false, host: "metadata.google.internal")

    package init() {}

    /// - Throws: ``CloudError/badEndpoint(name:value:)`` for the first that is no URL of a host.
    package init(environment: [String: String]) throws(CloudError) {
        for name in Self.environmentNames {
            guard let text = environment[name], !text.isEmpty else { continue }
            guard let endpoint = CloudEndpoint(text) else {
                throw .badEndpoint(name: name, value: text)
            }
            overrides[name] = endpoint
        }
        if let text = environment[Self.metadataHostName], !text.isEmpty {
            guard let endpoint = CloudEndpoint("http://" + text) else {
                throw .badEndpoint(name: Self.metadataHostName, value: text)
            }
            gcpMetadata = endpoint
        }
    }

    /// The link-local address that EC2 and Azure share.
    private static let linkLocal = CloudEndpoint(isSecure: false, host: "169.254.169.254")

    package var awsMetadata: CloudEndpoint { overrides["DST_AWS_IMDS_ENDPOINT"] ?? Self.linkLocal }
    package var azureMetadata: CloudEndpoint {
        overrides["DST_AZURE_IMDS_ENDPOINT"] ?? Self.linkLocal
    }

    package func ec2(_ region: String) -> CloudEndpoint {
        overrides["DST_AWS_EC2_ENDPOINT"] ?? Self.aws("ec2", region)
    }
    package func autoScaling(_ region: String) -> CloudEndpoint {
        overrides["DST_AWS_AUTOSCALING_ENDPOINT"] ?? Self.aws("autoscaling", region)
    }
    package func awsSecrets(_ region: String) -> CloudEndpoint {
        overrides["DST_AWS_SECRETS_ENDPOINT"] ?? Self.aws("secretsmanager", region)
    }
    package var compute: CloudEndpoint {
        overrides["DST_GCP_COMPUTE_ENDPOINT"]
            ?? CloudEndpoint(isSecure: true, host: "compute.googleapis.com")
    }
    package var gcpSecrets: CloudEndpoint {
        overrides["DST_GCP_SECRETS_ENDPOINT"]
            ?? CloudEndpoint(isSecure: true, host: "secretmanager.googleapis.com")
    }
    package var azureManager: CloudEndpoint {
        overrides["DST_AZURE_ARM_ENDPOINT"]
            ?? CloudEndpoint(isSecure: true, host: "management.azure.com")
    }
    /// - Parameter host: The vault's own.
    package func azureVault(_ host: String) -> CloudEndpoint {
        overrides["DST_AZURE_VAULT_ENDPOINT"] ?? CloudEndpoint(isSecure: true, host: host)
    }

    /// Regions in China have a domain of their own (AWS General Reference, "Service endpoints").
    private static func aws(_ service: String, _ region: String) -> CloudEndpoint {
        let domain = region.hasPrefix("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
        return CloudEndpoint(isSecure: true, host: "\(service).\(region).\(domain)")
    }
}
