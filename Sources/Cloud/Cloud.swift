/// The clouds whose machines a node can ask about themselves.
package enum Cloud: String, Sendable, CaseIterable, Codable {
    case aws, gcp, azure

    /// For people.
    package var title: String {
        switch self {
        case .aws: "AWS"
        case .gcp: "Google Cloud"
        case .azure: "Azure"
        }
    }
}

/// Which machine this is, as its cloud says.
package struct CloudIdentity: Sendable, Equatable {
    package var cloud: Cloud
    /// AWS: `i-…`. Google: the number. Azure: the VM's resource id.
    package var instanceID: String
    /// What life-cycle notices and people call it; on AWS the id.
    package var instanceName: String
    package var region: String
    /// AWS: `eu-west-1a`. Google: `europe-west1-b`. Azure: region and number (`westeurope-1`): a
    /// number alone means nothing; the region where the VM is in no zone.
    package var zone: String
    /// `nil` where the metadata service names none.
    package var address: String?
    /// AWS: account. Google: project. Azure: subscription.
    package var account: String
    /// Azure only.
    package var resourceGroup: String?
    /// The group that made the machine, where the metadata service tells: Google's URL of the
    /// instance group manager, Azure's name of the scale set.
    package var group: String?

    package init(
        cloud: Cloud, instanceID: String, instanceName: String, region: String, zone: String,
        address: String?, account: String, resourceGroup: String? = nil, group: String? = nil
    ) {
        self.cloud = cloud
        self.instanceID = instanceID
        self.instanceName = instanceName
        self.region = region
        self.zone = zone
        self.address = address
        self.account = account
        self.resourceGroup = resourceGroup
        self.group = group
    }
}

/// One machine in a list. Nothing says that a node runs on it.
package struct CloudInstance: Sendable, Equatable {
    package enum State: Sendable, Equatable {
        case running
        /// It starts: it may have no address yet.
        case pending
        /// Anything else, in the cloud's own word.
        case gone(String)
    }

    package var id: String
    package var name: String
    package var state: State
    /// Private addresses, the first interface's IPv4 address first. Empty while it has none.
    package var addresses: [String]
    package var zone: String?
    /// Tags or labels that start with `dst-` or `aws:autoscaling:`; others are no business of ours.
    package var tags: [String: String]

    package init(
        id: String, name: String, state: State, addresses: [String], zone: String?,
        tags: [String: String]
    ) {
        self.id = id
        self.name = name
        self.state = state
        self.addresses = addresses
        self.zone = zone
        self.tags = tags
    }

    /// Whether a tag is one that this type keeps.
    static func keeps(tag name: String) -> Bool {
        name.hasPrefix("dst-") || name.hasPrefix("aws:autoscaling:")
    }
}

/// Names that instances of a cluster carry, on every cloud.
package enum CloudTag {
    /// Its value is the cluster's name.
    package static let cluster = "dst-cluster"
    /// `coordinator`, `storage` or `gateway`.
    package static let role = "dst-role"
}

/// The instances of a cluster, as far as the cloud told.
package struct CloudInstanceList: Sendable, Equatable {
    package var instances: [CloudInstance] = []
    /// Zones did not answer, or there were too many pages: good for finding somebody, never for
    /// saying that somebody is gone.
    package var isPartial = false
    /// Why, for people.
    package var notes: [String] = []
    /// Calls that the list cost; the metadata service's are free.
    package var callCount = 0

    package init() {}
}
