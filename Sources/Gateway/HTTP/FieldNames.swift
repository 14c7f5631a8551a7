import HTTPTypes

/// The header fields this server writes, made once.
extension HTTPField.Name {
    private static func named(_ name: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(name) else { preconditionFailure("\(name) is a token") }
        return name
    }

    static let requestID = named("x-amz-request-id")
    static let bucketRegion = named("x-amz-bucket-region")
    static let serverSideEncryption = named("x-amz-server-side-encryption")
    static let checksumType = named("x-amz-checksum-type")
    static let checksumAlgorithm = named("x-amz-checksum-algorithm")
    static let partsCount = named("x-amz-mp-parts-count")
    static let checksumCRC32 = named("x-amz-checksum-crc32")
    static let checksumCRC32C = named("x-amz-checksum-crc32c")
    static let checksumCRC64NVME = named("x-amz-checksum-crc64nvme")
    static let checksumSHA1 = named("x-amz-checksum-sha1")
    static let checksumSHA256 = named("x-amz-checksum-sha256")

    /// Names that objects carry often need no table look-up by the library.
    static func stored(_ name: String) -> HTTPField.Name? {
        switch name {
        case "content-type": .contentType
        case "cache-control": .cacheControl
        case "content-disposition": .contentDisposition
        case "content-encoding": .contentEncoding
        case "content-language": .contentLanguage
        case "expires": .expires
        default: HTTPField.Name(name)
        }
    }
}
