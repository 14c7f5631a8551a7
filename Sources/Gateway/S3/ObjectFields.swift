import HTTPTypes
import ObjectStore
import S3

/// The header fields of an object, in answers.
enum ObjectFields {
    /// - Parameters:
    ///   - query: Of a GET or HEAD: `response-content-type` and its like replace what is stored.
    ///   - withChecksum: `x-amz-checksum-mode: ENABLED`, and all of the object is asked for.
    static func of(_ info: ObjectInfo, query: S3Query, withChecksum: Bool) -> HTTPFields {
        var fields = HTTPFields()
        fields.reserveCapacity(12)
        addValidators(info, to: &fields)
        fields.append(HTTPField(name: .acceptRanges, value: "bytes"))
        addStored(info, query, to: &fields)
        for item in info.userMetadata {
            if let name = HTTPField.Name("x-amz-meta-" + item.name) {
                fields.append(HTTPField(name: name, value: item.value))
            }
        }
        fields.append(HTTPField(name: .serverSideEncryption, value: "AES256"))
        if withChecksum { add(info.checksum, partCount: info.partCount, to: &fields) }
        return fields
    }

    /// What a 304 repeats, and what an answer to a write says.
    static func addValidators(_ info: ObjectInfo, to fields: inout HTTPFields) {
        fields.append(HTTPField(name: .eTag, value: ETag.quoted(info.etag)))
        fields.append(HTTPField(name: .lastModified, value: HTTPDate.format(info.modified)))
    }

    static func add(
        _ checksum: ObjectChecksum?, partCount: Int, to fields: inout HTTPFields,
        withType: Bool = true
    ) {
        guard let value = checksum?.named(partCount: partCount) else { return }
        fields.append(HTTPField(name: name(of: value.algorithm), value: value.text))
        if withType { fields.append(HTTPField(name: .checksumType, value: value.typeName)) }
    }

    private static func name(of algorithm: ChecksumAlgorithm) -> HTTPField.Name {
        switch algorithm {
        case .crc32: .checksumCRC32
        case .crc32c: .checksumCRC32C
        case .crc64nvme: .checksumCRC64NVME
        case .sha1: .checksumSHA1
        case .sha256: .checksumSHA256
        }
    }

    private static let overrides: [(parameter: String, name: HTTPField.Name)] = [
        ("response-content-type", .contentType), ("response-cache-control", .cacheControl),
        ("response-content-disposition", .contentDisposition),
        ("response-content-encoding", .contentEncoding),
        ("response-content-language", .contentLanguage), ("response-expires", .expires),
    ]

    private static func addStored(
        _ info: ObjectInfo, _ query: S3Query, to fields: inout HTTPFields
    ) {
        var hasType = false
        for item in info.headers {
            guard let name = HTTPField.Name.stored(item.name) else { continue }
            if name == .contentType { hasType = true }
            fields.append(HTTPField(name: name, value: item.value))
        }
        if !hasType {
            fields.append(HTTPField(name: .contentType, value: "binary/octet-stream"))
        }
        guard !query.isEmpty else { return }
        for (parameter, name) in overrides {
            if let value = query[parameter] { fields[name] = value }
        }
    }
}
