import Core
import Foundation
import Logging
import Messages
import NIOCore
import Wire

/// Gets a node without CLUSTER_SECRET its certificate and renews it when half of its life is over:
/// with what it has, or with its join token. Goes on for ever: what may pass is tried again.
package struct CertificateKeeper: Sendable {
    package struct Configuration: Sendable {
        package var label: String
        /// `nil`: only what is kept on disk can be renewed.
        package var token: JoinToken?
        package var file: CredentialFile

        package init(label: String, token: JoinToken?, file: CredentialFile) {
            self.label = label
            self.token = token
            self.file = file
        }
    }

    private let configuration: Configuration
    private let certificates: NodeCertificates
    private let client: EnrolmentClient
    private let seeds: @Sendable () async -> [String]
    private let clocks: any Clocks
    private let logger: Logger

    /// Takes what is kept on disk.
    package init(
        _ configuration: Configuration, certificates: NodeCertificates, client: EnrolmentClient,
        clocks: any Clocks, logger: Logger, seeds: @escaping @Sendable () async -> [String]
    ) {
        self.configuration = configuration
        self.certificates = certificates
        self.client = client
        self.seeds = seeds
        self.clocks = clocks
        self.logger = logger
        guard let kept = configuration.file.read() else { return }
        do throws(TrustError) {
            try certificates.install(kept)
        } catch {
            logger.warning("what is kept of this node's certificate is of no use: \(error)")
        }
    }

    /// Until cancelled.
    package func run() async {
        var pause = Pause()
        var lastReason = ""
        while !Task.isCancelled {
            if let renewAt = certificates.renewAt, clocks.wall < renewAt {
                try? await clocks.sleep(for: ClusterViewLimits.renewalCheckPause)
                continue
            }
            let outcome = await round()
            if let reason = outcome.reason {
                certificates.waits(reason)
                if reason != lastReason {
                    logger.warning("no certificate: \(reason)")
                    lastReason = reason
                }
                try? await clocks.sleep(for: pause.next(isFinal: outcome.isFinal))
            } else {
                (pause, lastReason) = (Pause(), "")
            }
        }
    }

    private struct Outcome {
        /// `nil`: a new certificate is in use.
        var reason: String?
        var isFinal = false
    }

    /// Asks each coordinator that is known, and those they point to, once.
    private func round() async -> Outcome {
        var waiting = await seeds()
        if waiting.isEmpty {
            return Outcome(reason: "discovery finds no coordinator")
        }
        var asked: Set<String> = []
        var outcome = Outcome(reason: "")
        while let address = waiting.first, asked.count < ClusterViewLimits.enrolmentAddressesMax {
            waiting.removeFirst()
            guard asked.insert(address).inserted else { continue }
            let (answer, leader) = await ask(address)
            guard let reason = answer.reason else { return answer }
            if let leader { waiting.insert(leader, at: 0) }
            // What the leader says counts more than who could not be asked.
            if answer.isFinal { return answer }
            let texts = [outcome.reason ?? "", reason].filter { !$0.isEmpty }
            outcome.reason = texts.joined(separator: "; ")
        }
        return outcome
    }

    /// - Returns: What came of it, and whom to ask instead.
    private func ask(_ address: String) async -> (Outcome, leader: String?) {
        var last = Outcome(reason: "there is nothing to ask with: set JOIN_TOKEN")
        for proof in proofs() {
            do {
                let key = try EnrolmentKey(kept: certificates.credential?.key)
                let reply = try await client.ask(
                    address, request(key, proof), trusted: trusted())
                if reply.refusal.isEmpty {
                    try install(reply, key)
                    return (Outcome(reason: nil), nil)
                }
                let reason = "\(address): \(reply.refusal)"
                last = Outcome(reason: reason, isFinal: reply.isFinal)
                if !reply.leader.isEmpty { return (last, reply.leader) }
            } catch {
                last = Outcome(reason: "\(error)")
            }
        }
        return (last, nil)
    }

    private func proofs() -> [ProtoCertificateRequest.OneOf_Proof] {
        var proofs: [ProtoCertificateRequest.OneOf_Proof] = []
        if let credential = certificates.credential {
            proofs.append(.certificate(Data(credential.certificate)))
        }
        if let token = configuration.token {
            proofs.append(
                .token(
                    .with {
                        $0.id = Data(token.id)
                        $0.secret = Data(token.secret)
                    }))
        }
        return proofs
    }

    private func trusted() -> Set<String> {
        Set(certificates.trustedFingerprints + [configuration.token?.fingerprint].compactMap { $0 })
    }

    private func request(
        _ key: EnrolmentKey, _ proof: ProtoCertificateRequest.OneOf_Proof
    ) -> ProtoCertificateRequest {
        .with {
            $0.node = certificates.identity.node.data
            $0.role = ProtoRole(certificates.identity.role)
            $0.label = configuration.label
            $0.signingRequest = Data(key.signingRequest)
            $0.proof = proof
        }
    }

    /// First to disk: a certificate that is in use is there after a restart, too.
    private func install(_ reply: ProtoCertificateReply, _ key: EnrolmentKey) throws {
        guard let cluster = ClusterID(bytes: reply.cluster) else { throw EnrolmentError.malformed }
        let credential = Credential(
            key: key.bytes, certificate: Array(reply.certificate),
            authorities: reply.authorities.map { Array($0) }, cluster: cluster,
            sealKeys: reply.sealKeys.map { Array($0) })
        try certificates.check(credential)
        try configuration.file.write(credential)
        try certificates.install(credential)
        logger.notice("a certificate was received", metadata: ["cluster": "\(cluster)"])
    }
}

/// Between two rounds: doubles, with jitter; long where a person has to do something.
private struct Pause {
    private var milliseconds = ClusterViewLimits.enrolmentPauseMin

    mutating func next(isFinal: Bool) -> Duration {
        defer { milliseconds = min(milliseconds * 2, ClusterViewLimits.enrolmentPauseMax) }
        let bound = isFinal ? ClusterViewLimits.enrolmentPauseMax : milliseconds
        var random = Randomness.system
        return .milliseconds(Int.random(in: bound / 2...bound, using: &random))
    }
}
