import Core
import HTTPTypes
import Logging
import NIOCore
import ObjectStore
import S3
import Synchronization

/// Answers S3's requests: who is it, may it be, what is asked for, do it, say so.
final class S3Application: HTTPApplication {
    struct Configuration: Sendable {
        var region = "us-east-1"
        /// `S3_DOMAIN`; empty: path style only.
        var domain = ""
        var requestsInFlightMax = GatewayLimits.requestsInFlight
        /// Answers that are no error of ours.
        var accessLogLevel = Logger.Level.debug
    }

    /// All keys belong to one account: there is one owner of everything.
    static let owner = "dstorage"

    let configuration: Configuration
    let objects: ObjectService
    let authenticator: Authenticator
    private let admin: AdminApplication?
    private let isFresh: @Sendable () -> Bool
    private let metrics: RequestMetrics
    let logger: Logger
    private let clocks: any Clocks
    private let inFlight = Atomic<Int>(0)

    init(
        configuration: Configuration, objects: ObjectService, authenticator: Authenticator,
        admin: AdminApplication?, metrics: RequestMetrics, logger: Logger, clocks: any Clocks,
        isFresh: @escaping @Sendable () -> Bool
    ) {
        self.configuration = configuration
        self.objects = objects
        self.authenticator = authenticator
        self.admin = admin
        self.metrics = metrics
        self.logger = logger
        self.clocks = clocks
        self.isFresh = isFresh
    }

    func respond(to exchange: Exchange) async throws {
        let start = ContinuousClock.now
        let count = inFlight.add(1, ordering: .relaxed).newValue
        metrics.set(inFlight: count)
        defer { inFlight.subtract(1, ordering: .relaxed) }
        var operation = "Unknown"
        let reply: Reply
        if count > configuration.requestsInFlightMax {
            reply = refusal(S3Error(.slowDown), exchange)
        } else {
            reply = await answer(exchange, &operation)
        }
        var failure: (any Error)?
        do { try await exchange.send(reply) } catch { failure = error }
        let elapsed = (ContinuousClock.now - start).components
        let nanoseconds = elapsed.seconds * 1_000_000_000 + elapsed.attoseconds / 1_000_000_000
        let code = failure == nil ? reply.code : "ConnectionBroken"
        metrics.record(
            operation: operation, status: reply.status, code: code, nanoseconds: nanoseconds,
            received: exchange.receivedBytes, sent: exchange.sentBytes)
        log(exchange, operation, reply, code, nanoseconds, failure)
        if let failure { throw failure }
    }

    private func answer(_ exchange: Exchange, _ operation: inout String) async -> Reply {
        let head = exchange.head
        do {
            try HeaderRules.checkSizes(head)
            let query = try S3Query(head.query)
            guard isFresh() else {
                throw S3Error(.serviceUnavailable, "This gateway does not hear the cluster.")
            }
            let host = head.headers["host"]
            let identity = try authenticator.authenticate(
                head, query: query,
                bucketOfHost: S3Target.bucket(inHost: host, domain: configuration.domain))
            if let admin, admin.serves(head.path), !identity.isVersion2 {
                operation = "Admin"
                return try await admin.reply(to: exchange, identity)
            }
            let target = try S3Target(
                path: head.path, host: host, domain: configuration.domain)
            let kind = S3Operation.of(head, target: target, query: query)
            operation = kind.name
            guard !identity.isVersion2 || SigV2Claim.allows(kind) else {
                throw SigV4Claim.unsupported
            }
            try HeaderRules.check(head.headers)
            let request = S3Request(
                exchange: exchange, target: target, query: query, proof: identity.proof)
            try request.checkExpectedOwner(Self.owner)
            return try await perform(kind, request)
        } catch {
            return reply(to: error, exchange)
        }
    }

    private func perform(_ operation: S3Operation, _ request: S3Request) async throws -> Reply {
        switch operation {
        case .getObject: try await getObject(request)
        case .headObject: try await headObject(request)
        case .putObject: try await putObject(request)
        case .deleteObject: try await deleteObject(request)
        case .copyObject: try await copyObject(request)
        case .getObjectACL, .getObjectTagging: try await objectSetting(operation, request)
        case .listObjects: try await listObjects(request)
        case .listObjectsV2: try await listObjectsV2(request)
        case .deleteObjects: try await deleteObjects(request)
        case .listBuckets: try await listBuckets(request)
        case .createBucket: try await createBucket(request)
        case .headBucket: try await headBucket(request)
        case .deleteBucket: try await deleteBucket(request)
        case .getBucketSetting(let setting): try await bucketSetting(setting, request)
        case .deleteBucketSetting: try await deleteBucketSetting(request)
        case .createMultipartUpload: try await createUpload(request)
        case .uploadPart: try await uploadPart(request)
        case .uploadPartCopy: try await copyPart(request)
        case .completeMultipartUpload: try await completeUpload(request)
        case .abortMultipartUpload: try await abortUpload(request)
        case .listParts: try await listParts(request)
        case .listMultipartUploads: try await listUploads(request)
        case .notImplemented(let what): throw S3Error.notImplemented(what)
        case .methodNotAllowed: throw S3Error(.methodNotAllowed)
        }
    }

    // MARK: Errors

    private func reply(to error: any Error, _ exchange: Exchange) -> Reply {
        switch error {
        case let error as S3Error: return refusal(error, exchange)
        case let error as ObjectStoreError:
            if let complaint = error.complaint {
                logger.log(
                    level: complaint.isDamage ? .error : .info,
                    "an operation was not done",
                    metadata: ["request.id": "\(exchange.id)", "reason": "\(complaint.text)"])
            }
            var reply = refusal(S3Error(answering: error), exchange)
            if case .notModified(let info) = error {
                ObjectFields.addValidators(info, to: &reply.fields)
            }
            if case .invalidRange(let size) = error {
                reply.fields.append(HTTPField(name: .contentRange, value: "bytes */\(size)"))
            }
            return reply
        default:
            // The client has gone, or the connection broke: the answer will not arrive either.
            logger.debug(
                "a request failed",
                metadata: ["request.id": "\(exchange.id)", "error": "\(error)"])
            return refusal(S3Error(.incompleteBody), exchange)
        }
    }

    private func refusal(_ error: S3Error, _ exchange: Exchange) -> Reply {
        var reply: Reply
        if error.status == 304 {
            reply = Reply(304)
        } else {
            let document = error.document(resource: exchange.head.path, requestID: exchange.id)
            reply = .xml(error.status, document)
            if exchange.head.method == "HEAD" { reply.body = .omitted(length: 0) }
        }
        if let region = error.details.first(where: { $0.name == "Region" })?.value {
            // A HEAD has no document: SDKs find the right region here.
            reply.fields.append(HTTPField(name: .bucketRegion, value: region))
        }
        reply.code = error.code.rawValue
        return reply
    }

    private func log(
        _ exchange: Exchange, _ operation: String, _ reply: Reply, _ code: String,
        _ nanoseconds: Int64, _ failure: (any Error)?
    ) {
        let level: Logger.Level = reply.status >= 500 ? .warning : configuration.accessLogLevel
        guard logger.logLevel <= level else { return }
        var metadata: Logger.Metadata = [
            "request.id": "\(exchange.id)", "operation": "\(operation)",
            "method": "\(exchange.head.method)", "path": "\(exchange.head.path)",
            "status": "\(reply.status)", "received.bytes": "\(exchange.receivedBytes)",
            "sent.bytes": "\(exchange.sentBytes)", "microseconds": "\(nanoseconds / 1000)",
        ]
        if !code.isEmpty { metadata["code"] = "\(code)" }
        if let failure { metadata["failure"] = "\(failure)" }
        logger.log(level: level, "request", metadata: metadata)
    }
}
