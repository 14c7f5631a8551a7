import ArgumentParser
import ChunkStore
import Cloud
import ClusterView
import Coordinator
import Core
import Foundation
import StorageNode
import Wire

/// What a node that can't go on ends with: the last line of its log, and the code by which a
/// service manager decides whether to start it again.
struct ExitReason: Sendable, Equatable, CustomStringConvertible {
    enum Kind: Sendable, Equatable {
        /// Somebody must change something first: the settings, the disk, the data. 78.
        case setUp
        /// It may pass by itself. 75.
        case passing
        /// It failed while it ran; another start may do. 1.
        case failure

        var code: Int32 {
            switch self {
            case .setUp: EX_CONFIG
            case .passing: EX_TEMPFAIL
            case .failure: EXIT_FAILURE
            }
        }
    }

    let kind: Kind
    let description: String

    var exitCode: ExitCode { ExitCode(kind.code) }

    init(_ error: any Error) {
        switch error {
        case let error as DataDirectoryError: (kind, description) = (.setUp, "\(error)")
        case let error as PortListenerError: (kind, description) = (.setUp, "\(error)")
        case let error as MissingVolume: (kind, description) = (.setUp, "\(error)")
        case let error as TooLittleRoom: (kind, description) = (.setUp, "\(error)")
        case TrustError.badSecret(let what): (kind, description) = (.setUp, what)
        case FormationError.unreadable(let what): (kind, description) = (.setUp, what)
        case FormationError.notSaved(let what): (kind, description) = (.failure, what)
        case let error as HeartbeatRefused:
            (kind, description) = (error.isFinal ? .setUp : .passing, "\(error)")
        case let error as RaftHostError: (kind, description) = Self.reason(error)
        case ChunkStoreError.unusable(let what):
            (kind, description) = (
                .setUp, "the chunks in DATA_PATH can't be used: \(what): \(Self.startAnew)"
            )
        case let error as UnknownZone: (kind, description) = (.passing, "\(error)")
        case let error as CloudError:
            (kind, description) = (error.isTransient ? .passing : .setUp, "\(error)")
        case is CancellationError:
            (kind, description) = (
                .failure, "the node was stopped before its requests and writes had ended"
            )
        default: (kind, description) = (.failure, "the node can't go on: \(error)")
        }
    }

    private static let startAnew =
        "check the disk, or empty DATA_PATH: the node then joins as a new one and is filled again"

    private static func reason(_ error: RaftHostError) -> (Kind, String) {
        switch error {
        case .logLost, .damaged, .forgotten, .log(.corrupt), .log(.unsupportedVersion),
            .catalogue(_, .damaged), .catalogue(_, .gap), .catalogue(_, .foreign),
            .catalogue(_, .unknownSchema):
            (.setUp, "\(error): \(startAnew)")
        case .log, .catalogue, .directory, .stopped: (.failure, "the node can't go on: \(error)")
        }
    }
}
