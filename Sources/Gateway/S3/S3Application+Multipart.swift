import Core
import HTTPTypes
import ObjectStore
import S3

extension S3Application {
    func createUpload(_ request: S3Request) async throws -> Reply {
        var create = CreateUploadRequest(try request.address(), owner: request.proof.accessKey)
        create.attributes = ObjectAttributes(request.headers)
        let algorithm = try request.checksumAlgorithm()
        create.checksum = algorithm.map { ObjectChecksum.Algorithm($0) }
        create.checksumType = try request.checksumType(algorithm)
        let result = try await objects.createUpload(create)
        var xml = XMLWriter()
        xml.openRoot("InitiateMultipartUploadResult")
        xml.element("Bucket", create.address.bucket)
        xml.element("Key", utf8: create.address.key.bytes)
        xml.element("UploadId", result.upload.hex)
        xml.close("InitiateMultipartUploadResult")
        var reply = Reply.xml(200, xml.bytes)
        reply.fields.append(HTTPField(name: .serverSideEncryption, value: "AES256"))
        if let checksum = result.checksum {
            let name = checksum.named.rawValue
            reply.fields.append(HTTPField(name: .checksumAlgorithm, value: name))
        }
        if let type = result.checksumType {
            reply.fields.append(HTTPField(name: .checksumType, value: type.name))
        }
        return reply
    }

    func uploadPart(_ request: S3Request) async throws -> Reply {
        let protection = try BodyProtection(request.headers, payload: request.proof.payload)
        try request.checkSize(protection.bytes)
        var put = PutPartRequest(
            try request.upload(), number: try request.partNumber(), length: protection.bytes)
        put.contentMD5 = protection.md5
        put.checksum = protection.algorithm.map { ObjectChecksum.Algorithm($0) }
        put.declaredChecksum = protection.checksum.map { ObjectChecksum($0) }
        let part = try await objects.putPart(
            put, body: RequestBodySource(request.exchange, request.proof, protection))
        var reply = Reply(200)
        reply.fields.append(HTTPField(name: .eTag, value: ETag.quoted(part.etag)))
        reply.fields.append(HTTPField(name: .serverSideEncryption, value: "AES256"))
        ObjectFields.add(part.checksum, partCount: 0, to: &reply.fields, withType: false)
        return reply
    }

    func copyPart(_ request: S3Request) async throws -> Reply {
        var copy = CopyPartRequest(
            try request.upload(), number: try request.partNumber(),
            source: try request.copySource())
        copy.sourceConditions = ReadConditions(
            ReadConditionHeaders(copySourceOf: request.headers))
        if let text = request.headers["x-amz-copy-source-range"] {
            guard case .between(let first, let last) = try CopySource.range(text) else {
                throw S3Error(.invalidArgument)
            }
            copy.sourceRange = first...last
        }
        let part = try await objects.copyPart(copy)
        return .xml(
            200,
            CopyDocuments.result(
                "CopyPartResult", etag: part.etag, modified: part.modified,
                checksum: part.checksum?.named(partCount: 0)))
    }

    func completeUpload(_ request: S3Request) async throws -> Reply {
        let address = try request.upload()
        let conditions = WriteConditions(try WriteConditionHeaders(request.headers))
        let declared = try request.declaredChecksum()
        let document = try CompleteDocument(
            try await request.document(isSummed: false))
        var complete = CompleteUploadRequest(
            address,
            parts: document.parts.map {
                CompleteUploadRequest.Part(
                    number: $0.number, etag: $0.etag,
                    checksum: $0.checksum.map { ObjectChecksum($0) })
            })
        complete.conditions = conditions
        complete.declaredChecksum = declared
        complete.declaredSize = try request.declaredObjectSize()
        let info = try await objects.completeUpload(complete)
        var xml = XMLWriter()
        xml.openRoot("CompleteMultipartUploadResult")
        xml.element("Location", "http://\(request.headers["host"] ?? "")\(request.head.path)")
        xml.element("Bucket", address.object.bucket)
        xml.element("Key", utf8: address.object.key.bytes)
        xml.element("ETag", ETag.quoted(info.etag))
        if let checksum = info.checksum?.named(partCount: info.partCount) {
            xml.element(checksum.algorithm.elementName, checksum.text)
            xml.element("ChecksumType", checksum.typeName)
        }
        xml.close("CompleteMultipartUploadResult")
        var reply = Reply.xml(200, xml.bytes)
        reply.fields.append(HTTPField(name: .serverSideEncryption, value: "AES256"))
        return reply
    }

    func abortUpload(_ request: S3Request) async throws -> Reply {
        try await objects.abortUpload(try request.upload())
        return Reply(204)
    }

    func listParts(_ request: S3Request) async throws -> Reply {
        var list = ListPartsRequest(try request.upload())
        list.limit = try ListParameters.limit(request.query, "max-parts")
        let marker = request.query["part-number-marker"] ?? ""
        if !marker.isEmpty {
            guard let after = Int(marker), (0...Int(Int32.max)).contains(after) else {
                throw S3Error.invalidArgument(
                    "part-number-marker", marker,
                    "Argument part-number-marker must be an integer between 0 and 2147483647")
            }
            list.after = after
        }
        let page = try await objects.listParts(list)
        let isURLEncoded = request.query["encoding-type"] == "url"
        let key = list.address.object.key.bytes
        var xml = XMLWriter(capacity: 512 + page.parts.count * 160)
        xml.openRoot("ListPartsResult")
        xml.element("Bucket", list.address.object.bucket)
        if isURLEncoded { xml.element("EncodingType", "url") }
        xml.element(
            "Key", utf8: isURLEncoded ? PercentCoding.encode(key, keepsSlash: true) : key)
        xml.element("UploadId", list.address.upload.hex)
        xml.owner(page.upload.owner, element: "Initiator")
        xml.owner(Self.owner)
        xml.element("StorageClass", "STANDARD")
        xml.element("PartNumberMarker", list.after)
        xml.element("NextPartNumberMarker", page.nextAfter)
        xml.element("MaxParts", list.limit)
        xml.element("IsTruncated", page.isTruncated)
        Self.writeChecksum(page.upload, to: &xml)
        for part in page.parts { Self.write(part, to: &xml) }
        xml.close("ListPartsResult")
        return .xml(200, xml.bytes)
    }

    private static func write(_ part: PartInfo, to xml: inout XMLWriter) {
        xml.open("Part")
        xml.element("PartNumber", part.number)
        xml.element("LastModified", ISODate.format(part.modified))
        xml.element("ETag", ETag.quoted(part.etag))
        xml.element("Size", part.size)
        if let checksum = part.checksum?.named(partCount: 0) {
            xml.element(checksum.algorithm.elementName, checksum.text)
        }
        xml.close("Part")
    }

    private static func writeChecksum(_ upload: UploadInfo, to xml: inout XMLWriter) {
        if let algorithm = upload.checksum {
            xml.element("ChecksumAlgorithm", algorithm.named.rawValue)
        }
        if let type = upload.checksumType { xml.element("ChecksumType", type.name) }
    }

    func listUploads(_ request: S3Request) async throws -> Reply {
        let parameters = try ListParameters(request.query, limitName: "max-uploads")
        var list = ListUploadsRequest(bucket: try request.bucket())
        list.prefix = Array(parameters.prefix.utf8)
        list.delimiter = Array(parameters.delimiter.utf8)
        list.limit = parameters.limit
        let keyMarker = request.query["key-marker"] ?? ""
        let uploadMarker = request.query["upload-id-marker"] ?? ""
        list.keyMarker = Array(keyMarker.utf8)
        if !keyMarker.isEmpty && !uploadMarker.isEmpty {
            guard let marker = UploadID(hex: uploadMarker) else {
                throw S3Error.invalidArgument(
                    "upload-id-marker", uploadMarker, "Invalid uploadId marker")
            }
            list.uploadMarker = marker
        }
        let page = try await objects.listUploads(list)
        var xml = XMLWriter(capacity: 512 + page.uploads.count * 320)
        xml.openRoot("ListMultipartUploadsResult")
        xml.element("Bucket", list.bucket)
        xml.element("KeyMarker", utf8: parameters.shown(keyMarker.utf8))
        xml.element("UploadIdMarker", uploadMarker)
        if page.isTruncated {
            xml.element("NextKeyMarker", utf8: parameters.shown(page.nextKeyMarker))
            xml.element("NextUploadIdMarker", page.nextUploadMarker?.hex ?? "")
        }
        xml.element("Prefix", utf8: parameters.shown(parameters.prefix.utf8))
        if !parameters.delimiter.isEmpty {
            xml.element("Delimiter", utf8: parameters.shown(parameters.delimiter.utf8))
        }
        if parameters.isURLEncoded { xml.element("EncodingType", "url") }
        xml.element("MaxUploads", parameters.limit)
        xml.element("IsTruncated", page.isTruncated)
        for upload in page.uploads { Self.write(upload, parameters, to: &xml) }
        for prefix in page.commonPrefixes {
            xml.open("CommonPrefixes")
            xml.element("Prefix", utf8: parameters.shown(prefix))
            xml.close("CommonPrefixes")
        }
        xml.close("ListMultipartUploadsResult")
        return .xml(200, xml.bytes)
    }

    private static func write(
        _ upload: UploadInfo, _ parameters: ListParameters, to xml: inout XMLWriter
    ) {
        xml.open("Upload")
        xml.element("Key", utf8: parameters.shown(upload.key.bytes))
        xml.element("UploadId", upload.upload.hex)
        xml.owner(upload.owner, element: "Initiator")
        xml.owner(owner)
        xml.element("StorageClass", "STANDARD")
        xml.element("Initiated", ISODate.format(upload.initiated))
        writeChecksum(upload, to: &xml)
        xml.close("Upload")
    }
}

extension ChecksumType {
    var name: String {
        switch self {
        case .composite: "COMPOSITE"
        case .fullObject: "FULL_OBJECT"
        }
    }
}

extension S3Request {
    /// `x-amz-checksum-type`: how the checksum of an object in parts comes from those of its parts.
    func checksumType(_ algorithm: ChecksumAlgorithm?) throws(S3Error) -> ChecksumType? {
        guard let text = headers["x-amz-checksum-type"] else { return nil }
        guard let algorithm else {
            throw S3Error(
                .invalidRequest,
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm "
                    + "header.")
        }
        let type: ChecksumType
        switch text.uppercased() {
        case "COMPOSITE": type = .composite
        case "FULL_OBJECT": type = .fullObject
        default: throw S3Error(.invalidRequest, "Value for x-amz-checksum-type header is invalid.")
        }
        guard algorithm.allows(composite: type == .composite) else {
            throw S3Error(
                .invalidRequest,
                "The \(type.name) checksum type cannot be used with the "
                    + "\(algorithm.rawValue.lowercased()) checksum algorithm.")
        }
        return type
    }

    /// `x-amz-checksum-…` of a whole object in parts: about the object, not about this request's
    /// body.
    func declaredChecksum() throws(S3Error) -> ObjectChecksum? {
        for field in headers {
            guard let algorithm = ChecksumAlgorithm(headerName: field.name) else { continue }
            guard let value = ChecksumValue(algorithm: algorithm, text: field.value) else {
                throw S3Error(.invalidRequest, "Value for \(field.name) header is invalid.")
            }
            return ObjectChecksum(value)
        }
        return nil
    }

    func declaredObjectSize() throws(S3Error) -> Int? {
        guard let text = headers["x-amz-mp-object-size"] else { return nil }
        guard let size = Int(text), size >= 0 else {
            throw .invalidArgument("x-amz-mp-object-size", text, "The size is not a number.")
        }
        return size
    }
}
