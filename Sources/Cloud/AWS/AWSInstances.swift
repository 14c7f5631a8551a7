import Core
import S3

/// `DescribeInstances` (Amazon EC2 API Reference, 2016-11-15).
enum AWSInstances {
    static let permission = "ec2:DescribeInstances"
    private static let version = "2016-11-15"

    /// The instances of a cluster that run or start.
    ///
    /// - Parameter cluster: No `*`, `?` or `\`: values of filters are patterns.
    static func list(
        _ endpoint: CloudEndpoint, cluster: String, token: String?
    ) -> CloudRequest {
        var parameters = [
            ("Action", "DescribeInstances"), ("Version", version),
            ("Filter.1.Name", "tag:\(CloudTag.cluster)"), ("Filter.1.Value.1", cluster),
            ("Filter.2.Name", "instance-state-name"), ("Filter.2.Value.1", "pending"),
            ("Filter.2.Value.2", "running"), ("MaxResults", "\(CloudLimits.awsPageSize)"),
        ]
        if let token { parameters.append(("NextToken", token)) }
        return AWSSigning.query(
            endpoint, parameters, replyBytesMax: CloudLimits.pageBytesMax)
    }

    /// One instance with its tags.
    static func one(_ endpoint: CloudEndpoint, id: String) -> CloudRequest {
        let parameters = [
            ("Action", "DescribeInstances"), ("Version", version), ("InstanceId.1", id),
        ]
        return AWSSigning.query(
            endpoint, parameters, replyBytesMax: CloudLimits.metadataBytesMax)
    }

    package struct Page: Equatable {
        package var instances: [CloudInstance]
        /// A page may be empty and still have a next one.
        package var nextToken: String?
    }

    /// What of an answer is kept: a thousand instances have 100,000 elements.
    private static let kept: Set<String> = [
        "nextToken", "reservationSet", "item", "instancesSet", "instanceId", "instanceState",
        "name", "privateIpAddress", "placement", "availabilityZone", "tagSet", "key", "value",
        "networkInterfaceSet", "ipv6AddressesSet", "ipv6Address",
    ]

    static func page(_ reply: CloudReply, _ host: String) throws(CloudError) -> Page {
        let root: XMLElement
        do throws(S3Error) {
            root = try XMLReader.read(
                reply.body,
                within: .init(
                    bytesMax: CloudLimits.pageBytesMax, elementsMax: CloudLimits.pageElementsMax),
                keeping: kept)
        } catch {
            throw .malformed(host, what: "no XML")
        }
        guard root.name == "DescribeInstancesResponse" else {
            throw .malformed(host, what: "no DescribeInstancesResponse")
        }
        var instances: [CloudInstance] = []
        for reservation in root.child("reservationSet")?.children ?? [] {
            for item in reservation.child("instancesSet")?.children ?? [] {
                if let instance = instance(item) { instances.append(instance) }
            }
        }
        let token = root.text(of: "nextToken") ?? ""
        return Page(instances: instances, nextToken: token.isEmpty ? nil : token)
    }

    private static func instance(_ item: XMLElement) -> CloudInstance? {
        guard let id = item.text(of: "instanceId"), !id.isEmpty else { return nil }
        var tags: [String: String] = [:]
        for tag in item.child("tagSet")?.children ?? [] {
            guard let key = tag.text(of: "key"), CloudInstance.keeps(tag: key) else { continue }
            tags[key] = tag.text(of: "value") ?? ""
        }
        var addresses: [String] = []
        if let address = item.text(of: "privateIpAddress"), !address.isEmpty {
            addresses.append(address)
        }
        for interface in item.child("networkInterfaceSet")?.children ?? [] {
            for address in interface.child("ipv6AddressesSet")?.children ?? [] {
                addresses += address.text(of: "ipv6Address").map { [$0] } ?? []
            }
        }
        let state: CloudInstance.State =
            switch item.child("instanceState")?.text(of: "name") {
            case "running": .running
            case "pending": .pending
            case let other: .gone(other ?? "unknown")
            }
        return CloudInstance(
            id: id, name: id, state: state, addresses: addresses,
            zone: item.child("placement")?.text(of: "availabilityZone"), tags: tags)
    }
}

extension AWSClient {
    /// The instances of a cluster in this region. It takes seconds until a new one is listed.
    package func instances(
        cluster: String, _ deadline: CloudDeadline
    ) async throws(CloudError) -> CloudInstanceList {
        let region = try await identity(deadline).region
        let endpoint = shell.endpoints.ec2(region)
        var list = CloudInstanceList()
        var token: String?
        for _ in 0..<CloudLimits.pagesMax {
            let (reply, callCount) = try await signed(
                AWSInstances.list(endpoint, cluster: cluster, token: token), service: "ec2",
                region: region, permission: AWSInstances.permission, deadline)
            let page = try AWSInstances.page(reply, endpoint.authority)
            list.callCount += callCount
            guard list.append(page.instances) else { return list }
            token = page.nextToken
            if token == nil { return list }
        }
        list.note(partial: "more than \(CloudLimits.pagesMax) pages")
        return list
    }

    /// This instance's own entry; `nil` while EC2 does not list it yet.
    package func own(_ deadline: CloudDeadline) async throws(CloudError) -> CloudInstance? {
        let identity = try await identity(deadline)
        let endpoint = shell.endpoints.ec2(identity.region)
        let (reply, _) = try await signed(
            AWSInstances.one(endpoint, id: identity.instanceID), service: "ec2",
            region: identity.region, permission: AWSInstances.permission, deadline)
        return try AWSInstances.page(reply, endpoint.authority).instances.first {
            $0.id == identity.instanceID
        }
    }
}

extension CloudInstanceList {
    /// - Returns: `false` where the list is full: the rest is not asked for.
    mutating func append(_ more: [CloudInstance]) -> Bool {
        let room = CloudLimits.instancesMax - instances.count
        instances += more.prefix(room)
        guard more.count > room else { return true }
        note(partial: "more than \(CloudLimits.instancesMax) instances")
        return false
    }

    mutating func note(partial reason: String) {
        isPartial = true
        notes.append(reason)
    }
}
