import Core
import S3

/// `CopyObjectResult`, `CopyPartResult`.
enum CopyDocuments {
    static func result(
        _ root: String, etag: String, modified: WallTime, checksum: ChecksumValue?
    ) -> [UInt8] {
        var xml = XMLWriter()
        xml.openRoot(root)
        xml.element("LastModified", ISODate.format(modified))
        xml.element("ETag", ETag.quoted(etag))
        if let checksum {
            xml.element(checksum.algorithm.elementName, checksum.text)
            xml.element("ChecksumType", checksum.typeName)
        }
        xml.close(root)
        return xml.bytes
    }
}

/// The entries of a `DeleteResult`.
enum DeleteResult {
    static func deleted(_ key: [UInt8], to xml: inout XMLWriter) {
        xml.open("Deleted")
        xml.element("Key", utf8: key)
        xml.close("Deleted")
    }

    static func failed(_ key: [UInt8], _ error: S3Error, to xml: inout XMLWriter) {
        xml.open("Error")
        xml.element("Key", utf8: key)
        xml.element("Code", error.code.rawValue)
        xml.element("Message", error.message)
        xml.close("Error")
    }
}
