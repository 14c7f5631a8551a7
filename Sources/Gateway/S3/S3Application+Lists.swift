import ObjectStore
import S3

extension S3Application {
    func listObjects(_ request: S3Request) async throws -> Reply {
        let parameters = try ListParameters(request.query, limitName: "max-keys")
        let marker = request.query["marker"] ?? ""
        var list = Self.list(try request.bucket(), parameters)
        if !marker.isEmpty { list.start = .after(Array(marker.utf8)) }
        let page = try await objects.list(list)
        var xml = XMLWriter(capacity: 512 + page.objects.count * 256)
        xml.openRoot("ListBucketResult")
        Self.writeHead(parameters, list.bucket, page.isTruncated, to: &xml)
        xml.element("Marker", utf8: parameters.shown(marker.utf8))
        if page.isTruncated && !parameters.delimiter.isEmpty {
            xml.element("NextMarker", utf8: parameters.shown(page.nextMarker))
        }
        Self.write(page, parameters, withOwner: true, to: &xml)
        xml.close("ListBucketResult")
        return .xml(200, xml.bytes)
    }

    func listObjectsV2(_ request: S3Request) async throws -> Reply {
        let parameters = try ListParameters(request.query, limitName: "max-keys")
        let token = request.query["continuation-token"]
        let startAfter = request.query["start-after"]
        var list = Self.list(try request.bucket(), parameters)
        if let token {
            guard !token.isEmpty else {
                throw S3Error.invalidArgument(
                    "continuation-token", token, "The continuation token provided is incorrect")
            }
            list.start = .continuing(token: token)
        } else if let startAfter, !startAfter.isEmpty {
            list.start = .after(Array(startAfter.utf8))
        }
        let page = try await objects.list(list)
        var xml = XMLWriter(capacity: 512 + page.objects.count * 256)
        xml.openRoot("ListBucketResult")
        Self.writeHead(parameters, list.bucket, page.isTruncated, to: &xml)
        xml.element("KeyCount", page.objects.count + page.commonPrefixes.count)
        if let token { xml.element("ContinuationToken", token) }
        if let next = page.continuationToken { xml.element("NextContinuationToken", next) }
        if let startAfter { xml.element("StartAfter", utf8: parameters.shown(startAfter.utf8)) }
        Self.write(
            page, parameters, withOwner: request.query["fetch-owner"] == "true", to: &xml)
        xml.close("ListBucketResult")
        return .xml(200, xml.bytes)
    }

    private static func list(_ bucket: String, _ parameters: ListParameters) -> ListRequest {
        var list = ListRequest(bucket: bucket)
        list.prefix = Array(parameters.prefix.utf8)
        list.delimiter = Array(parameters.delimiter.utf8)
        list.limit = parameters.limit
        return list
    }

    private static func writeHead(
        _ parameters: ListParameters, _ bucket: String, _ isTruncated: Bool,
        to xml: inout XMLWriter
    ) {
        xml.element("Name", bucket)
        xml.element("Prefix", utf8: parameters.shown(parameters.prefix.utf8))
        if !parameters.delimiter.isEmpty {
            xml.element("Delimiter", utf8: parameters.shown(parameters.delimiter.utf8))
        }
        xml.element("MaxKeys", parameters.limit)
        if parameters.isURLEncoded { xml.element("EncodingType", "url") }
        xml.element("IsTruncated", isTruncated)
    }

    private static func write(
        _ page: ListPage, _ parameters: ListParameters, withOwner: Bool, to xml: inout XMLWriter
    ) {
        for object in page.objects {
            xml.open("Contents")
            if parameters.isURLEncoded {
                xml.element("Key", utf8: parameters.shown(object.key.bytes))
            } else {
                xml.element("Key", utf8: object.key.bytes)
            }
            xml.element("LastModified", ISODate.format(object.modified))
            xml.element("ETag", ETag.quoted(object.etag))
            if let algorithm = object.checksumAlgorithm {
                xml.element("ChecksumAlgorithm", algorithm.named.rawValue)
                let type = object.isChecksumComposite ? "COMPOSITE" : "FULL_OBJECT"
                xml.element("ChecksumType", type)
            }
            xml.element("Size", object.size)
            if withOwner { xml.owner(owner) }
            xml.element("StorageClass", "STANDARD")
            xml.close("Contents")
        }
        for prefix in page.commonPrefixes {
            xml.open("CommonPrefixes")
            xml.element("Prefix", utf8: parameters.shown(prefix))
            xml.close("CommonPrefixes")
        }
    }
}
