import Core

/// `CreateBucketConfiguration`
package enum CreateBucketDocument {
    /// - Returns: The region the client wants; `nil` where it does not say.
    package static func locationConstraint(_ bytes: [UInt8]) throws(S3Error) -> String? {
        guard !bytes.isEmpty else { return nil }
        let root = try XMLReader.read(bytes)
        guard root.name == "CreateBucketConfiguration" else { throw XMLReader.malformed }
        for child in root.children where child.name != "LocationConstraint" {
            // Location, Bucket (directory buckets) and Tags ask for what is not built.
            throw .notImplemented("CreateBucketConfiguration/\(child.name)")
        }
        let text = root.text(of: "LocationConstraint") ?? ""
        return text.isEmpty ? nil : text
    }
}

/// `Delete`: the body of DeleteObjects.
package struct DeleteDocument: Equatable, Sendable {
    package struct Entry: Equatable, Sendable {
        package let key: [UInt8]
        /// ETag without quotes, or `*`; `nil`: no condition.
        package let ifMatch: String?
    }

    package let entries: [Entry]
    /// The answer names only failures.
    package let isQuiet: Bool

    package init(_ bytes: [UInt8]) throws(S3Error) {
        let root = try XMLReader.read(bytes)
        guard root.name == "Delete" else { throw XMLReader.malformed }
        var entries: [Entry] = []
        for child in root.children {
            switch child.name {
            case "Quiet": continue
            case "Object": entries.append(try Self.entry(child))
            default: throw XMLReader.malformed
            }
        }
        guard !entries.isEmpty, entries.count <= S3Limits.deleteCountMax else {
            throw XMLReader.malformed
        }
        self.entries = entries
        isQuiet = root.text(of: "Quiet")?.trimmingSpaces == "true"
    }

    private static func entry(_ element: XMLElement) throws(S3Error) -> Entry {
        guard let key = element.text(of: "Key"), !key.isEmpty else { throw XMLReader.malformed }
        for child in element.children {
            switch child.name {
            case "Key", "ETag": continue
            case "VersionId":
                // The only version of an object that was never versioned is `null`.
                guard ["", "null"].contains(child.text) else {
                    throw .notImplemented("Delete/Object/VersionId")
                }
            default: throw .notImplemented("Delete/Object/\(child.name)")
            }
        }
        return Entry(
            key: Array(key.utf8), ifMatch: element.text(of: "ETag").map(ETag.withoutQuotes))
    }
}

/// `CompleteMultipartUpload`
package struct CompleteDocument: Equatable, Sendable {
    package struct Part: Equatable, Sendable {
        package let number: Int
        /// Without quotes.
        package let etag: String
        package let checksum: ChecksumValue?
    }

    /// One or more, in ascending order of number.
    package let parts: [Part]

    package init(_ bytes: [UInt8]) throws(S3Error) {
        let root = try XMLReader.read(bytes)
        guard root.name == "CompleteMultipartUpload", !root.children.isEmpty,
            root.children.count <= Limits.partCountMax
        else { throw XMLReader.malformed }
        var parts: [Part] = []
        parts.reserveCapacity(root.children.count)
        for child in root.children {
            guard child.name == "Part" else { throw XMLReader.malformed }
            let part = try Self.part(child)
            if let last = parts.last, last.number >= part.number {
                throw S3Error(.invalidPartOrder)
            }
            parts.append(part)
        }
        self.parts = parts
    }

    private static func part(_ element: XMLElement) throws(S3Error) -> Part {
        guard let text = element.text(of: "PartNumber"), let number = Int(text.trimmingSpaces),
            let etag = element.text(of: "ETag")
        else { throw XMLReader.malformed }
        guard (1...Limits.partCountMax).contains(number) else {
            throw .invalidArgument(
                "PartNumber", text, "PartNumber must be >= 1 and <= \(Limits.partCountMax)")
        }
        var checksum: ChecksumValue?
        for algorithm in ChecksumAlgorithm.allCases {
            guard let text = element.text(of: algorithm.elementName) else { continue }
            checksum = ChecksumValue(algorithm: algorithm, text: text)
            guard checksum != nil else { throw XMLReader.malformed }
        }
        return Part(
            number: number, etag: ETag.withoutQuotes(etag.trimmingSpaces), checksum: checksum)
    }
}
