import Core
import HTTPTypes
import NIOCore
import ObjectStore
import S3

extension S3Application {
    func getObject(_ request: S3Request) async throws -> Reply {
        try request.checkVersion()
        var get = GetRequest(try request.address())
        get.range = request.range
        get.partNumber = try request.readPartNumber()
        get.conditions = ReadConditions(ReadConditionHeaders(request.headers))
        let result = try await objects.get(get)
        return Self.read(
            request, result.info, result.range, isPartial: result.isPartial,
            partNumber: get.partNumber, body: .object(result.body))
    }

    func headObject(_ request: S3Request) async throws -> Reply {
        try request.checkVersion()
        var head = HeadRequest(try request.address())
        head.range = request.range
        head.partNumber = try request.readPartNumber()
        head.conditions = ReadConditions(ReadConditionHeaders(request.headers))
        let result = try await objects.head(head)
        return Self.read(
            request, result.info, result.range, isPartial: result.isPartial,
            partNumber: head.partNumber, body: .omitted(length: result.range.count))
    }

    private static func read(
        _ request: S3Request, _ info: ObjectInfo, _ range: Range<Int>, isPartial: Bool,
        partNumber: Int?, body: Reply.Body
    ) -> Reply {
        // A checksum of all bytes says nothing about some of them.
        let wantsChecksum =
            request.headers["x-amz-checksum-mode"]?.uppercased() == "ENABLED" && !isPartial
        var reply = Reply(
            isPartial ? 206 : 200,
            fields: ObjectFields.of(info, query: request.query, withChecksum: wantsChecksum),
            body: body)
        if isPartial {
            let text = RangeHeader.contentRange(range, size: info.size)
            reply.fields.append(HTTPField(name: .contentRange, value: text))
        }
        if partNumber != nil, info.partCount > 0 {
            reply.fields.append(HTTPField(name: .partsCount, value: "\(info.partCount)"))
        }
        return reply
    }

    func putObject(_ request: S3Request) async throws -> Reply {
        let protection = try BodyProtection(request.headers, payload: request.proof.payload)
        try request.checkSize(protection.bytes)
        var put = PutRequest(try request.address(), length: protection.bytes)
        put.attributes = ObjectAttributes(request.headers)
        put.conditions = WriteConditions(try WriteConditionHeaders(request.headers))
        put.contentMD5 = protection.md5
        put.checksum = protection.algorithm.map { ObjectChecksum.Algorithm($0) }
        put.declaredChecksum = protection.checksum.map { ObjectChecksum($0) }
        let info = try await objects.put(
            put, body: RequestBodySource(request.exchange, request.proof, protection))
        var reply = Reply(200)
        reply.fields.append(HTTPField(name: .eTag, value: ETag.quoted(info.etag)))
        reply.fields.append(HTTPField(name: .serverSideEncryption, value: "AES256"))
        ObjectFields.add(info.checksum, partCount: 0, to: &reply.fields)
        return reply
    }

    func deleteObject(_ request: S3Request) async throws -> Reply {
        try request.checkVersion()
        let conditions = WriteConditions(try WriteConditionHeaders(request.headers))
        try await objects.delete(try request.address(), conditions: conditions)
        return Reply(204)
    }

    func copyObject(_ request: S3Request) async throws -> Reply {
        let destination = try request.address()
        let source = try request.copySource()
        var copy = CopyRequest(from: source, to: destination)
        copy.sourceConditions = ReadConditions(
            ReadConditionHeaders(copySourceOf: request.headers))
        copy.conditions = WriteConditions(try WriteConditionHeaders(request.headers))
        let directive = request.headers["x-amz-metadata-directive"]?.uppercased() ?? "COPY"
        switch directive {
        case "COPY":
            guard source != destination else {
                throw S3Error(
                    .invalidRequest,
                    "This copy request is illegal because it is trying to copy an object to itself "
                        + "without changing the object's metadata, storage class, website redirect "
                        + "location or encryption attributes.")
            }
        case "REPLACE": copy.replacement = ObjectAttributes(request.headers)
        default:
            throw S3Error.invalidArgument(
                "x-amz-metadata-directive", directive, "Unknown metadata directive.")
        }
        copy.checksum = try request.checksumAlgorithm().map { ObjectChecksum.Algorithm($0) }
        let info = try await objects.copy(copy)
        return .xml(
            200,
            CopyDocuments.result(
                "CopyObjectResult", etag: info.etag, modified: info.modified,
                checksum: info.checksum?.named(partCount: info.partCount)))
    }

    /// What an object has by default: the owner's access, and no tags.
    func objectSetting(_ operation: S3Operation, _ request: S3Request) async throws -> Reply {
        try request.checkVersion()
        _ = try await objects.head(HeadRequest(try request.address()))
        var xml = XMLWriter()
        if operation == .getObjectACL {
            AccessControlDocument.write(owner: Self.owner, to: &xml)
        } else {
            xml.openRoot("Tagging")
            xml.open("TagSet")
            xml.close("TagSet")
            xml.close("Tagging")
        }
        return .xml(200, xml.bytes)
    }

    func deleteObjects(_ request: S3Request) async throws -> Reply {
        let bucket = try request.bucket()
        let document = try DeleteDocument(try await request.document())
        var xml = XMLWriter(capacity: 4096)
        xml.openRoot("DeleteResult")
        var plain: [ObjectKey] = []
        for entry in document.entries {
            do {
                let key = try ObjectKey(entry.key)
                guard let ifMatch = entry.ifMatch else {
                    plain.append(key)
                    continue
                }
                try await objects.delete(
                    ObjectAddress(bucket: bucket, key: key),
                    conditions: WriteConditions(ifMatch: ifMatch))
                if !document.isQuiet { DeleteResult.deleted(entry.key, to: &xml) }
            } catch {
                // Only what is wrong with one key; what concerns all of them ends the request.
                if error == .noSuchBucket { throw error }
                DeleteResult.failed(entry.key, S3Error(answering: error), to: &xml)
            }
        }
        if !plain.isEmpty {
            try await objects.deleteMany(bucket: bucket, keys: plain)
            if !document.isQuiet {
                for key in plain { DeleteResult.deleted(key.bytes, to: &xml) }
            }
        }
        xml.close("DeleteResult")
        return .xml(200, xml.bytes)
    }
}

extension S3Request {
    var range: ByteRange? {
        headers["range"].flatMap { RangeHeader($0) }.map { ByteRange($0) }
    }

    func readPartNumber() throws -> Int? {
        guard query.has("partNumber") else { return nil }
        guard !headers.has("range") else {
            throw S3Error(
                .invalidRequest, "Cannot specify both Range header and partNumber query parameter")
        }
        return try partNumber()
    }

    /// Refused before a byte of the body is read.
    func checkSize(_ bytes: Int) throws(S3Error) {
        guard bytes <= Limits.partBytesMax else {
            throw S3Error(
                .entityTooLarge,
                details: [
                    ("ProposedSize", "\(bytes)"), ("MaxSizeAllowed", "\(Limits.partBytesMax)"),
                ])
        }
    }

    func copySource() throws -> ObjectAddress {
        let source = try CopySource(headers["x-amz-copy-source"] ?? "")
        return ObjectAddress(bucket: source.bucket, key: try ObjectKey(source.key))
    }

    /// `x-amz-checksum-algorithm`: what to compute for an upload or a copy.
    func checksumAlgorithm() throws(S3Error) -> ChecksumAlgorithm? {
        guard let text = headers["x-amz-checksum-algorithm"] else { return nil }
        guard let algorithm = ChecksumAlgorithm(rawValue: text.uppercased()) else {
            throw S3Error(
                .invalidRequest,
                "Checksum algorithm provided is unsupported. Please try again with any of the "
                    + "valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
        }
        return algorithm
    }
}
