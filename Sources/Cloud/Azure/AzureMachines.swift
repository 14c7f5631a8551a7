import Core
import S3

/// Virtual machines and their network interfaces of one resource group (Azure Resource Manager;
/// `Microsoft.Compute/virtualMachines` 2024-07-01, `Microsoft.Network/networkInterfaces`
/// 2024-05-01). Flexible scale sets list their machines here; Uniform ones don't, and are not
/// served.
enum AzureMachines {
    static let machinesPermission = "Microsoft.Compute/virtualMachines/read"
    static let interfacesPermission = "Microsoft.Network/networkInterfaces/read"

    static func id(subscription: String, group: String, name: String) -> String {
        "/subscriptions/\(subscription)/resourceGroups/\(group)/providers/Microsoft.Compute"
            + "/virtualMachines/\(name)"
    }

    private static func groupPath(_ identity: CloudIdentity) -> String {
        let group = PercentCoding.encoded(identity.resourceGroup ?? "")
        return "/subscriptions/\(PercentCoding.encoded(identity.account))/resourceGroups/\(group)"
    }

    static func machines(_ endpoint: CloudEndpoint, _ identity: CloudIdentity) -> CloudRequest {
        page(
            endpoint,
            groupPath(identity)
                + "/providers/Microsoft.Compute/virtualMachines?api-version=2024-07-01")
    }

    static func interfaces(_ endpoint: CloudEndpoint, _ identity: CloudIdentity) -> CloudRequest {
        page(
            endpoint,
            groupPath(identity)
                + "/providers/Microsoft.Network/networkInterfaces?api-version=2024-05-01")
    }

    private static func page(_ endpoint: CloudEndpoint, _ target: String) -> CloudRequest {
        CloudRequest("GET", endpoint, target, replyBytesMax: CloudLimits.pageBytesMax)
    }

    /// The request for the next page. The link is followed only to where the first page came from,
    /// over the same scheme: it carries the token.
    ///
    /// - Returns: `nil` where there is no next page.
    static func next(_ link: String?, of request: CloudRequest) throws(CloudError) -> CloudRequest?
    {
        guard let link, !link.isEmpty else { return nil }
        guard let (endpoint, target) = CloudEndpoint.split(link) else {
            throw .foreignLink(Words.short(String(link.prefix(100))))
        }
        guard endpoint == request.endpoint, target.hasPrefix("/") else {
            throw .foreignLink(endpoint.description)
        }
        return page(endpoint, target)
    }

    struct Machine: Decodable, Equatable, Sendable {
        struct Properties: Decodable, Equatable, Sendable { let provisioningState: String? }

        let id: String
        let name: String
        let location: String?
        let tags: [String: String]?
        let zones: [String]?
        let properties: Properties?
    }

    struct Interface: Decodable, Equatable {
        struct Reference: Decodable, Equatable { let id: String? }
        struct Configuration: Decodable, Equatable {
            struct Properties: Decodable, Equatable {
                let primary: Bool?
                let privateIPAddress: String?
            }

            let properties: Properties?
        }
        struct Properties: Decodable, Equatable {
            let virtualMachine: Reference?
            let primary: Bool?
            let ipConfigurations: [Configuration]?
        }

        let properties: Properties?
    }

    struct Page<Item: Decodable>: Decodable {
        let value: [Item]
        let nextLink: String?
    }

    static func page<Item: Decodable>(
        of type: Item.Type, _ reply: CloudReply, _ host: String
    ) throws(CloudError) -> Page<Item> {
        try JSONReply.decode(Page<Item>.self, reply, from: host)
    }

    /// Joins machines with their addresses. Ids are compared without case: the services write them
    /// differently.
    static func joined(
        _ machines: [Machine], _ interfaces: [Interface], cluster: String
    ) -> [CloudInstance] {
        var byMachine: [String: [Interface.Properties]] = [:]
        for interface in interfaces {
            guard let properties = interface.properties, let id = properties.virtualMachine?.id
            else { continue }
            byMachine[id.lowercased(), default: []].append(properties)
        }
        return machines.filter { $0.tags?[CloudTag.cluster] == cluster }.map { machine in
            CloudInstance(
                id: machine.id, name: machine.name, state: state(machine),
                addresses: addresses(byMachine[machine.id.lowercased()] ?? []),
                zone: machine.location.map {
                    AzureMetadata.zone(machine.zones?.first, location: $0)
                },
                tags: (machine.tags ?? [:]).filter { CloudInstance.keeps(tag: $0.key) })
        }
    }

    /// Whether a machine is stopped is not said in lists; a candidate that is silent costs a call.
    private static func state(_ machine: Machine) -> CloudInstance.State {
        switch machine.properties?.provisioningState?.lowercased() {
        case "succeeded", "updating", nil: .running
        case "creating": .pending
        case let other?: .gone(Words.short(other))
        }
    }

    /// The primary interface's primary address first.
    private static func addresses(_ interfaces: [Interface.Properties]) -> [String] {
        let primaryFirst =
            interfaces.filter { $0.primary == true } + interfaces.filter { $0.primary != true }
        return primaryFirst.flatMap { interface in
            let all = (interface.ipConfigurations ?? []).compactMap(\.properties)
            return all.filter { $0.primary == true } + all.filter { $0.primary != true }
        }.compactMap(\.privateIPAddress).filter { !$0.isEmpty }
    }
}

extension AzureClient {
    /// The machines of a cluster in this VM's resource group.
    package func instances(
        cluster: String, _ deadline: CloudDeadline
    ) async throws(CloudError) -> CloudInstanceList {
        let identity = try await identity(deadline)
        let endpoint = shell.endpoints.azureManager
        var list = CloudInstanceList()
        let machines = try await machines(endpoint, identity, &list, deadline)
        let interfaces = try await pages(
            of: AzureMachines.Interface.self, AzureMachines.interfaces(endpoint, identity),
            permission: AzureMachines.interfacesPermission, &list, deadline)
        pendingMachines.withLock { $0 = nil }
        _ = list.append(AzureMachines.joined(machines, interfaces, cluster: cluster))
        return list
    }

    private func machines(
        _ endpoint: CloudEndpoint, _ identity: CloudIdentity, _ list: inout CloudInstanceList,
        _ deadline: CloudDeadline
    ) async throws(CloudError) -> [AzureMachines.Machine] {
        let now = shell.clocks.monotonic
        if let pending = pendingMachines.withLock({ $0 }), now < pending.until {
            if pending.isPartial { list.note(partial: "the list of machines was partial") }
            return pending.machines
        }
        let machines = try await pages(
            of: AzureMachines.Machine.self, AzureMachines.machines(endpoint, identity),
            permission: AzureMachines.machinesPermission, &list, deadline)
        let until = now.milliseconds + CloudLimits.pendingTime.wholeMilliseconds
        pendingMachines.withLock { [isPartial = list.isPartial] in
            $0 = PendingMachines(
                machines: machines, isPartial: isPartial,
                until: MonotonicTime(milliseconds: until))
        }
        return machines
    }

    /// All pages of one list, as far as limits allow. An empty page may have a next one.
    private func pages<Item: Decodable & Sendable>(
        of type: Item.Type, _ first: CloudRequest, permission: String,
        _ list: inout CloudInstanceList, _ deadline: CloudDeadline
    ) async throws(CloudError) -> [Item] {
        var items: [Item] = []
        var request = first
        for _ in 0..<CloudLimits.pagesMax {
            let (reply, callCount) = try await authorized(
                request, audience: AzureMetadata.manager, permission: permission, deadline)
            list.callCount += callCount
            let page = try AzureMachines.page(of: type, reply, request.endpoint.authority)
            items += page.value
            guard let next = try AzureMachines.next(page.nextLink, of: first) else { return items }
            // Interfaces of others are listed, too.
            guard items.count <= CloudLimits.instancesMax * 4 else { break }
            request = next
        }
        list.note(partial: "the list of \(permission) has more than is read")
        return items
    }
}
