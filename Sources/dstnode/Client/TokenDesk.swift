import AdminAPI
import ArgumentParser
import Core
import Discovery
import Foundation
import Gateway
import Logging
import NIOPosix
import NodeConfiguration
import S3
import Wire

/// Who makes, lists and revokes join tokens.
enum TokenDesk: Sendable {
    /// By its admin API.
    case gateway(SignedClient)
    /// By CLUSTER_SECRET, where a coordinator's settings are in the environment and no gateway is
    /// named.
    case coordinators(DirectTokens)

    init(_ options: ClientOptions) async throws {
        let environment = ProcessInfo.processInfo.environment
        if LocalNode.isCoordinator(environment), !options.namesGateway(environment) {
            self = .coordinators(try await Self.direct(environment))
        } else {
            self = .gateway(try options.client())
        }
    }

    /// The node beside this tool, and whom its discovery finds now.
    private static func direct(_ environment: [String: String]) async throws -> DirectTokens {
        let configuration = try await SettingFlags.parse([]).load().configuration
        let plan = configuration.discoveryPlan
        let group = MultiThreadedEventLoopGroup.singleton
        let clocks = SystemClocks()
        return try await refusing {
            let plugins = DiscoveryAssembly.plugins(
                plan,
                clouds: try DiscoveryAssembly.clouds(plan.discovery, environment: environment),
                group: group, clocks: clocks)
            let found = DiscoverCommand.peers(await CombinedDiscovery.ask(plugins))
            let seeds = [await LocalNode.address()] + found.filter(\.isCandidate).map(\.address)
            return try DirectTokens(
                secrets: configuration.clusterSecrets.map(\.value), seeds: seeds.map { "\($0)" },
                group: group, clocks: clocks,
                logger: Logger(label: "tokens") { _ in SwiftLogNoOpLogHandler() })
        }
    }

    func create(_ wish: NewJoinToken) async throws -> CreatedJoinToken {
        switch self {
        case .gateway(let client):
            try await client.json(
                "POST", AdminPaths.tokens, body: wish, as: CreatedJoinToken.self)
        case .coordinators(let tokens):
            try await Self.refusing { try await tokens.run { try await $0.create(wish) } }
        }
    }

    func list() async throws -> JoinTokenList {
        switch self {
        case .gateway(let client):
            try await client.json("GET", AdminPaths.tokens, as: JoinTokenList.self)
        case .coordinators(let tokens):
            try await Self.refusing { try await tokens.run { try await $0.list() } }
        }
    }

    func revoke(_ id: String) async throws {
        switch self {
        case .gateway(let client): try await client.checked("DELETE", AdminPaths.token(id))
        case .coordinators(let tokens):
            try await Self.refusing { try await tokens.run { try await $0.revoke(id) } }
        }
    }

    /// What goes wrong ends the command with words for its user.
    private static func refusing<Answer>(
        _ body: () async throws -> Answer
    ) async throws -> Answer {
        do {
            return try await body()
        } catch let error as S3Error {
            Terminal.complain("\(error.code.rawValue): \(error.message)")
        } catch let error as DirectTokens.NoCluster {
            Terminal.complain("\(error)")
        } catch let error as TrustError {
            Terminal.complain("\(error)")
        }
        throw ExitCode(1)
    }
}
