extension Setting {
    /// One sentence for `--help` and docs/CONFIGURATION.md.
    package var summary: String {
        switch self {
        case .nodeType: "What the node does: coordinator, storage or gateway. Required."
        case .nodeID: "A label for people, unique among live nodes. Default: the host name."
        case .listenAddress: "Address and port to listen on."
        case .advertiseAddress:
            "Address and port that other nodes connect to. Default: the listen address, or the "
                + "machine's own address if that is 0.0.0.0."
        case .dataPath: "Directory for everything the node keeps; its identity lives there."
        case .storageBackend: "sqlite: segment files with a SQLite index."
        case .replicationFactor: "Copies of each chunk, on that many storage nodes."
        case .discoveryMethod:
            "How coordinators are found: one or more of static (SEED_NODES), dns "
                + "(DISCOVERY_DNS_NAMES), aws, gcp, azure (instances with the tag or label "
                + "dst-cluster=CLUSTER_NAME) and cloud (the one that this machine runs on), "
                + "separated by commas."
        case .seedNodes: "host:port of the coordinators, separated by commas."
        case .discoveryDNSNames:
            "Names to look up, separated by commas: host:port for its addresses, or one that "
                + "starts with an underscore (_dst._tcp.example.com) for its services (SRV)."
        case .discoveryDNSServer:
            "host:port of a DNS server to ask instead of those of /etc/resolv.conf."
        case .discoveryPort: "Port of nodes that are found in a cloud, whose lists have none."
        case .discoveryAzureClientID:
            "Client id of the user-assigned identity to use, where the VM has several."
        case .lifecycle:
            "Watch for the end of this machine and drain: none, aws, gcp, azure or cloud (the one "
                + "that it runs on)."
        case .capacity:
            "Gigabytes (10^9 bytes) the node may fill, or a size such as 500GiB. Required for "
                + "storage nodes, ignored by others."
        case .zone:
            "Failure domain; copies are spread over zones. auto: the zone that the cloud's metadata "
                + "service names, asked at the start."
        case .clusterName:
            "A label for people, shown by dstnode status; and what instances of a cloud carry as "
                + "the value of dst-cluster."
        case .clusterSecret:
            "64 hex digits, the same on all nodes: the root of trust. Two, separated by a comma, "
                + "while one replaces the other; the first is used, both are accepted."
        case .joinToken: "Lets a node join without the secret. Not available yet."
        case .bootstrapExpect: "Blank coordinators that must meet to form a cluster; odd."
        case .formCluster:
            "auto, never, or a time such as 2026-12-31T00:00:00Z after which no new cluster is "
                + "formed."
        case .rootAccessKey: "Access key with all rights, 3 to 64 characters. Gateways."
        case .rootSecretKey: "Its secret, 8 to 256 characters."
        case .encryptionKey:
            "64 hex digits, the same on all gateways: seals the objects' keys. More, separated by "
                + "commas, while rotating; the first seals, all open. Required for gateways."
        case .s3Region: "Region that clients sign for."
        case .s3Domain: "Domain of virtual-host style requests (bucket.DOMAIN). Default: none."
        case .metadataRanges: "Ranges that a new cluster cuts its object index into, 1 to 64."
        case .repairDelay: "How long a node may be away before its copies are made elsewhere."
        case .garbageGrace: "How long chunks of deleted objects are kept."
        case .sweepAge:
            "How long chunks that no object names are kept; an upload (of an object, or of one "
                + "part) that takes longer is refused. Coordinators and storage nodes, the same on "
                + "all."
        case .logLevel: "trace, debug, info, notice, warning, error or critical."
        case .logFormat:
            "text, json, or auto: text on a terminal and in the journal, JSON otherwise."
        }
    }
}
