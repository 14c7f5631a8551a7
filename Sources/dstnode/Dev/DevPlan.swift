import Core
import Foundation

/// What a dev cluster looks like: ten nodes on this machine.
struct DevPlan: Sendable {
    struct Node: Sendable {
        let name: String
        let role: NodeRole
        let port: Int
        let zone: String
    }

    static let coordinatorCount = 3
    static let storageCount = 5
    static let gatewayCount = 2
    static let defaultGatewayPorts = [9000, 9001]
    static let defaultNodePorts = Array(9010...9017)

    let nodes: [Node]

    /// - Parameters:
    ///   - gatewayPorts: Two.
    ///   - nodePorts: Eight: three coordinators, five storage nodes.
    init(gatewayPorts: [Int], nodePorts: [Int]) {
        precondition(gatewayPorts.count == Self.gatewayCount)
        precondition(nodePorts.count == Self.coordinatorCount + Self.storageCount)
        // What stops last comes first.
        nodes =
            (1...Self.coordinatorCount).map { number in
                Node(
                    name: "coordinator-\(number)", role: .coordinator, port: nodePorts[number - 1],
                    zone: "zone-\(number)")
            }
            + (1...Self.storageCount).map { number in
                Node(
                    name: "storage-\(number)", role: .storage,
                    port: nodePorts[Self.coordinatorCount + number - 1], zone: "zone-\(number)")
            }
            + (1...Self.gatewayCount).map { number in
                Node(
                    name: "gateway-\(number)", role: .gateway, port: gatewayPorts[number - 1],
                    zone: "zone-\(number)")
            }
    }

    /// Ports that somebody listens on already.
    func takenPorts() -> [Int] {
        nodes.map(\.port).filter { !Self.isFree($0) }
    }

    /// Reads `9000,9001`.
    ///
    /// - Returns: `nil` unless `text` holds exactly `count` different ports.
    static func ports(_ text: String, count: Int) -> [Int]? {
        let ports = text.split(separator: ",").compactMap { part -> Int? in
            guard let port = Int(part.filter { $0 != " " }), (1...65535).contains(port) else {
                return nil
            }
            return port
        }
        return ports.count == count && Set(ports).count == count ? ports : nil
    }

    private static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        var yes: Int32 = 1
        setsockopt(
            descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
