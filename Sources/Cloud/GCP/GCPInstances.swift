import Core
import S3

/// `instances.aggregatedList` (Compute Engine API, v1): all zones in one list.
enum GCPInstances {
    static let permission = "compute.instances.list"

    /// The running instances of a cluster.
    ///
    /// - Parameter cluster: A legal value of a label: it stands in quotes.
    static func list(
        _ endpoint: CloudEndpoint, project: String, cluster: String, token: String?
    ) -> CloudRequest {
        let filter = "(labels.\(CloudTag.cluster)=\"\(cluster)\") AND (status=\"RUNNING\")"
        var query = "filter=\(PercentCoding.encoded(filter))&maxResults=\(CloudLimits.gcpPageSize)"
        if let token { query += "&pageToken=\(PercentCoding.encoded(token))" }
        return CloudRequest(
            "GET", endpoint,
            "/compute/v1/projects/\(PercentCoding.encoded(project))/aggregated/instances?\(query)",
            replyBytesMax: CloudLimits.pageBytesMax)
    }

    package struct Page: Equatable {
        package var instances: [CloudInstance]
        package var nextToken: String?
        /// Zones and regions that did not answer.
        package var unreachables: [String]
        /// What scopes warn of, other than that they are empty.
        package var warnings: [String]
    }

    private struct Document: Decodable {
        struct Scope: Decodable {
            let instances: [Instance]?
            let warning: Warning?
        }
        struct Warning: Decodable { let code: String? }
        struct Instance: Decodable {
            struct Interface: Decodable {
                let networkIP: String?
                let ipv6Address: String?
            }

            let id: String?
            let name: String
            let status: String
            let labels: [String: String]?
            let zone: String?
            let networkInterfaces: [Interface]?
        }

        let items: [String: Scope]?
        let nextPageToken: String?
        let unreachables: [String]?
    }

    static func page(_ reply: CloudReply, _ host: String) throws(CloudError) -> Page {
        let document = try JSONReply.decode(Document.self, reply, from: host)
        var page = Page(
            instances: [], nextToken: document.nextPageToken,
            unreachables: (document.unreachables ?? []).prefix(100).map(Words.short), warnings: [])
        if page.nextToken?.isEmpty == true { page.nextToken = nil }
        // A dictionary has no order; a list should.
        for (name, scope) in (document.items ?? [:]).sorted(by: { $0.key < $1.key }) {
            page.instances += (scope.instances ?? []).map { instance($0, scope: name) }
            // Every zone without instances says so.
            if let code = scope.warning?.code, code != "NO_RESULTS_ON_PAGE" {
                page.warnings.append(Words.short("\(name): \(code)"))
            }
        }
        return page
    }

    private static func instance(_ from: Document.Instance, scope: String) -> CloudInstance {
        let state: CloudInstance.State =
            switch from.status {
            case "RUNNING": .running
            case "PROVISIONING", "STAGING": .pending
            default: .gone(Words.short(from.status.lowercased()))
            }
        let interfaces = from.networkInterfaces ?? []
        let addresses = interfaces.compactMap(\.networkIP) + interfaces.compactMap(\.ipv6Address)
        return CloudInstance(
            id: from.id ?? from.name, name: from.name, state: state,
            addresses: addresses.filter { !$0.isEmpty },
            zone: GCPMetadata.lastPart(from.zone ?? scope),
            tags: (from.labels ?? [:]).filter { CloudInstance.keeps(tag: $0.key) })
    }
}

extension GCPClient {
    /// The instances of a cluster in this project, all zones.
    package func instances(
        cluster: String, _ deadline: CloudDeadline
    ) async throws(CloudError) -> CloudInstanceList {
        let project = try await word("project/project-id", deadline)
        guard GCPMetadata.isProject(project) else {
            throw .malformed(metadataHost, what: "no project")
        }
        let endpoint = shell.endpoints.compute
        var list = CloudInstanceList()
        var token: String?
        for _ in 0..<CloudLimits.pagesMax {
            let request = GCPInstances.list(
                endpoint, project: project, cluster: cluster, token: token)
            let (reply, callCount) = try await authorized(
                request, permission: GCPInstances.permission, deadline)
            let page = try GCPInstances.page(reply, endpoint.authority)
            list.callCount += callCount
            for place in page.unreachables { list.note(partial: "\(place) did not answer") }
            for warning in page.warnings { list.note(partial: warning) }
            guard list.append(page.instances) else { return list }
            token = page.nextToken
            if token == nil { return list }
        }
        list.note(partial: "more than \(CloudLimits.pagesMax) pages")
        return list
    }
}
