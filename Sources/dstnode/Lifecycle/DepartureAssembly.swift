import Cloud
import Core
import Logging
import NodeConfiguration

/// `LIFECYCLE`: which cloud is asked whether this machine is about to go.
enum DepartureAssembly {
    /// Until cancelled.
    static func run(_ base: NodeBase, _ node: Departing) async {
        guard let cloud = await cloud(base) else { return }
        base.logger.info("looking out for the end of this machine", metadata: ["cloud": "\(cloud)"])
        await DepartureWatch(
            watch: base.clouds.lifecycle(of: cloud), node: node, clocks: base.clocks,
            logger: base.logger
        ).run()
    }

    /// - Returns: `nil` where nobody is to be asked, or when cancelled.
    private static func cloud(_ base: NodeBase) async -> Cloud? {
        switch base.configuration.lifecycle {
        case .none: return nil
        case .aws: return .aws
        case .gcp: return .gcp
        case .azure: return .azure
        case .cloud: break
        }
        var isSaid = false
        while !Task.isCancelled {
            do throws(CloudError) {
                return try await base.clouds.detect()
            } catch {
                if !isSaid { base.logger.warning("LIFECYCLE=cloud: \(error); asked again") }
                isSaid = true
            }
            try? await Task.sleep(for: DepartureLimits.detectionPause)
        }
        return nil
    }
}
