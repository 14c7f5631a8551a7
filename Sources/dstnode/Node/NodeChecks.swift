/// What a node says of itself when asked.
struct NodeChecks: Sendable {
    /// What is wrong; `nil` where nothing is.
    typealias Check = @Sendable () async -> String?

    /// Whether all is done that needs no other node: the disk is read. Never waits for others.
    let isOpen: @Sendable () async -> Bool
    /// What is wrong with the process or its disk; never about other nodes.
    let health: Check
    /// What keeps the node from serving its role; `nil` where nothing does.
    let ready: Check
    /// To be run while the node serves; `nil` where it keeps no data.
    let disk: DiskProbe?
    /// What the role does before its machine goes; `nil` where it does nothing.
    let departing: Departing?

    /// - Parameter problem: What the role itself finds wrong; its disk is looked at besides.
    init(
        isOpen: @escaping @Sendable () async -> Bool, disk: DiskProbe? = nil,
        problem: @escaping Check, unreadiness: @escaping Check, departing: Departing? = nil
    ) {
        self.isOpen = isOpen
        self.disk = disk
        self.departing = departing
        health = {
            if let problem = disk?.problem { return problem }
            return await problem()
        }
        ready = unreadiness
    }
}
