/// The vocabulary of settings. One name serves everywhere: `NODE_TYPE` in the environment,
/// `node_type` in YAML, `--node-type` as a flag.
package enum Setting: String, CaseIterable, Sendable {
    case nodeType = "NODE_TYPE"
    case nodeID = "NODE_ID"
    case listenAddress = "LISTEN_ADDRESS"
    case advertiseAddress = "ADVERTISE_ADDRESS"
    case dataPath = "DATA_PATH"
    case storageBackend = "STORAGE_BACKEND"
    case replicationFactor = "REPLICATION_FACTOR"
    case discoveryMethod = "DISCOVERY_METHOD"
    case seedNodes = "SEED_NODES"
    case discoveryDNSNames = "DISCOVERY_DNS_NAMES"
    case discoveryDNSServer = "DISCOVERY_DNS_SERVER"
    case discoveryPort = "DISCOVERY_PORT"
    case discoveryAzureClientID = "DISCOVERY_AZURE_CLIENT_ID"
    case lifecycle = "LIFECYCLE"
    case capacity = "CAPACITY_GB"
    case zone = "ZONE"
    case clusterName = "CLUSTER_NAME"
    case clusterSecret = "CLUSTER_SECRET"
    case joinToken = "JOIN_TOKEN"
    case bootstrapExpect = "BOOTSTRAP_EXPECT"
    case formCluster = "FORM_CLUSTER"
    case rootAccessKey = "ROOT_ACCESS_KEY"
    case rootSecretKey = "ROOT_SECRET_KEY"
    case encryptionKey = "ENCRYPTION_KEY"
    case s3Region = "S3_REGION"
    case s3Domain = "S3_DOMAIN"
    case metadataRanges = "METADATA_RANGES"
    case repairDelay = "REPAIR_DELAY"
    case garbageGrace = "GARBAGE_GRACE"
    case sweepAge = "SWEEP_AGE"
    case logLevel = "LOG_LEVEL"
    case logFormat = "LOG_FORMAT"

    /// In the environment.
    package var name: String { rawValue }

    /// In YAML: lower case, with underscores.
    package var key: String { rawValue.lowercased() }

    /// Without the dashes; a secret is given by a file, since `ps` shows flags to everybody.
    package var flag: String { (isSecret ? fileKey : key).replacing("_", with: "-") }

    /// The short words of the deployment guide, accepted besides ``flag``.
    package var shortFlag: String? {
        switch self {
        case .listenAddress: "address"
        case .seedNodes: "seeds"
        case .capacity: "capacity"
        case .replicationFactor: "replication"
        case .discoveryMethod: "discovery"
        default: nil
        }
    }

    /// Shown to nobody, and never a flag.
    package var isSecret: Bool {
        switch self {
        case .clusterSecret, .joinToken, .rootSecretKey, .encryptionKey: true
        default: false
        }
    }

    /// May also be given as `…_FILE`: the path of a file that holds it. An access key is no secret,
    /// but lives beside one.
    package var mayBeInFile: Bool { isSecret || self == .rootAccessKey }

    /// Values separated by commas, or a YAML list.
    var isList: Bool {
        switch self {
        case .seedNodes, .clusterSecret, .encryptionKey, .discoveryMethod, .discoveryDNSNames: true
        default: false
        }
    }

    /// The name under which its file is given in YAML; `_FILE` in the environment.
    package var fileKey: String { key + "_file" }
    package var fileName: String { name + "_FILE" }

    /// Under which a service manager hands over a secret: `cluster-secret`.
    package var credentialName: String { key.replacing("_", with: "-") }

    /// `nil`: none, or worked out from the machine and the other settings.
    package var defaultText: String? {
        switch self {
        case .listenAddress: "0.0.0.0:9000"
        case .dataPath: "/var/lib/dstorage"
        case .storageBackend: "sqlite"
        case .replicationFactor: "3"
        case .discoveryMethod: "static"
        case .discoveryPort: "9000"
        case .lifecycle: "none"
        case .zone: "default"
        case .clusterName: "dstorage"
        case .bootstrapExpect: "3"
        case .formCluster: "auto"
        case .s3Region: "us-east-1"
        case .metadataRanges: "4"
        case .repairDelay: "10m"
        case .garbageGrace: "10m"
        case .sweepAge: "24h"
        case .logLevel: "info"
        case .logFormat: "auto"
        case .nodeType, .nodeID, .advertiseAddress, .seedNodes, .capacity, .clusterSecret,
            .joinToken, .rootAccessKey, .rootSecretKey, .encryptionKey, .s3Domain,
            .discoveryDNSNames, .discoveryDNSServer, .discoveryAzureClientID:
            nil
        }
    }
}
