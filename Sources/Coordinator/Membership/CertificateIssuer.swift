import ClusterView
import Core
import Foundation
import Logging
import Messages
import NIOCore
import Wire

/// Gives certificates to nodes that have no CLUSTER_SECRET: the first for a join token, the next
/// for the one before. Asked of the system range's leader, so that a token that was revoked a
/// moment ago, or a node that was removed, gets none.
struct CertificateIssuer: Sendable {
    let consensus: any Consensus
    let mirror: SystemMirror
    let certificates: NodeCertificates
    let sealKeys: [[UInt8]]
    let cluster: ClusterID
    let clocks: any Clocks
    let logger: Logger

    func answer(_ request: ProtoCertificateRequest) async -> ProtoCertificateReply {
        guard consensus.isLeader(.system) else { return await elsewhere() }
        do {
            let claim = try EnrolmentClaim(request)
            guard let reply = try await answer(claim, request) else { return await elsewhere() }
            logger.notice(
                "a certificate was issued",
                metadata: [
                    "node": "\(request.label) \(claim.identity)", "for": "\(request.proof.name)",
                ])
            return reply
        } catch let refusal as EnrolmentRefusal {
            logger.warning(
                "a node that wants to join is refused",
                metadata: ["node": "\(request.label)", "reason": "\(refusal.text)"])
            return .with {
                $0.refusal = refusal.text
                $0.isFinal = true
            }
        } catch {
            logger.error("no certificate could be issued: \(error)")
            return .with { $0.refusal = "the coordinator failed: \(error)" }
        }
    }

    /// - Returns: `nil` where this node leads no more.
    private func answer(
        _ claim: EnrolmentClaim, _ request: ProtoCertificateRequest
    ) async throws -> ProtoCertificateReply? {
        switch request.proof {
        case .token(let proof):
            guard let answer = try await ask({ $0.getJoinToken.id = proof.id }) else { return nil }
            try check(answer, proof, claim)
        case .certificate(let old): try certificates.mayRenew(claim, by: old)
        case nil: throw EnrolmentRefusal("the request has neither a token nor a certificate")
        }
        // The mirror may be behind; what came since has to be known, too.
        let known = mirror.state
        guard let answer = try await ask({ $0.getChanges.since = known.revision }) else {
            return nil
        }
        var state = known
        guard state.apply(answer.changes) else {
            throw SystemMirrorError.unanswered("the system range holds what cannot be read")
        }
        if state.nodes[claim.identity.node]?.membership == .left {
            throw EnrolmentRefusal(
                "node \(claim.identity.node) was removed from the cluster; a node with an empty "
                    + "data directory may join instead")
        }
        return try certificates.reply(
            to: claim, cluster: cluster, sealKeys: claim.identity.role == .gateway ? sealKeys : [])
    }

    /// - Returns: `nil` where this node leads no more.
    private func ask(_ fill: (inout ProtoSystemQuery) -> Void) async throws -> ProtoSystemAnswer? {
        let query = try ProtoSystemQuery.with(fill).serializedData()
        let outcome = await consensus.query(
            .system, Array(query), deadline: consensus.now + CoordinatorLimits.enrolmentQueryTime)
        guard case .done(let bytes) = outcome else { return nil }
        return try ProtoSystemAnswer(serializedBytes: bytes)
    }

    private func check(
        _ answer: ProtoSystemAnswer, _ proof: ProtoTokenProof, _ claim: EnrolmentClaim
    ) throws(EnrolmentRefusal) {
        let id = Hex.encode(proof.id)
        let hash = JoinToken.hash(ofSecret: Array(proof.secret))
        let token = answer.joinToken
        guard answer.failure == .none, isEqualInConstantTime(hash, Array(token.secretHash)) else {
            throw EnrolmentRefusal("this cluster has no join token \(id) with that secret")
        }
        if token.isRevoked { throw EnrolmentRefusal("the join token \(id) was revoked") }
        if token.expiresMs <= clocks.wall.milliseconds {
            throw EnrolmentRefusal(
                "the join token \(id) has expired: `dstnode token create` makes another")
        }
        if token.role.nodeRole != claim.identity.role {
            throw EnrolmentRefusal(
                "the join token \(id) is for \(token.role.nodeRole?.rawValue ?? "other") nodes, not "
                    + "for a \(claim.identity.role.rawValue)")
        }
    }

    private func elsewhere() async -> ProtoCertificateReply {
        let leader = await consensus.state(of: .system)?.leader
        let address = leader.flatMap { mirror.state.nodes[$0]?.address }
        return .with {
            $0.leader = address ?? ""
            $0.refusal = "the coordinator asked does not lead the system range"
        }
    }
}

extension Optional<ProtoCertificateRequest.OneOf_Proof> {
    fileprivate var name: String {
        switch self {
        case .token(let proof): "join token \(Hex.encode(proof.id))"
        case .certificate: "the one before"
        case nil: "nothing"
        }
    }
}
