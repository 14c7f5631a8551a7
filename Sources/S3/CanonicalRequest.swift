import Core

/// The canonical form of a request that both sides sign ("Signature Calculations for the
/// Authorization Header", Amazon S3 API Reference).
///
/// S3 differs from other services: the path is encoded once and `..`, `//` are kept.
enum CanonicalRequest {
    /// How the path is brought to its canonical form.
    enum PathForm {
        /// Decoded once and encoded again, `/` kept: right for every client that signs what it
        /// means.
        case normalized
        /// As it came: for clients that sign `%2F` as they sent it.
        case asSent
    }

    /// - Parameters:
    ///   - signedHeaders: Names in lower case, in the order the client lists them.
    ///   - payloadHash: The value of `x-amz-content-sha256`, or `UNSIGNED-PAYLOAD`.
    ///   - pathForm: See ``PathForm``.
    static func bytes(
        of head: S3RequestHead, signedHeaders: [Substring], payloadHash: String,
        pathForm: PathForm = .normalized
    ) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(512 + head.path.utf8.count + head.query.utf8.count)
        output.append(contentsOf: head.method.utf8)
        output.append(newline)
        switch pathForm {
        case .normalized: appendCanonical(head.path.utf8, to: &output, keepsSlash: true)
        case .asSent: output.append(contentsOf: head.path.utf8)
        }
        if head.path.isEmpty { output.append(UInt8(ascii: "/")) }
        output.append(newline)
        appendQuery(head.query, to: &output)
        output.append(newline)
        for name in signedHeaders {
            output.append(contentsOf: name.utf8)
            output.append(UInt8(ascii: ":"))
            var isFirst = true
            for field in head.headers where field.name == name {
                if !isFirst { output.append(UInt8(ascii: ",")) }
                isFirst = false
                appendFolded(field.value.utf8, to: &output)
            }
            output.append(newline)
        }
        output.append(newline)
        for (index, name) in signedHeaders.enumerated() {
            if index > 0 { output.append(UInt8(ascii: ";")) }
            output.append(contentsOf: name.utf8)
        }
        output.append(newline)
        output.append(contentsOf: payloadHash.utf8)
        return output
    }

    static let newline = UInt8(ascii: "\n")

    /// Decodes and encodes in one pass; a broken percent code is taken as plain text, which no
    /// signature will match.
    private static func appendCanonical(
        _ bytes: some Collection<UInt8>, to output: inout [UInt8], keepsSlash: Bool,
        plusIsSpace: Bool = false
    ) {
        guard let decoded = PercentCoding.decode(bytes, plusIsSpace: plusIsSpace) else {
            for byte in bytes {
                PercentCoding.append(byte, to: &output, keepsSlash: keepsSlash)
            }
            return
        }
        for byte in decoded { PercentCoding.append(byte, to: &output, keepsSlash: keepsSlash) }
    }

    /// Parameters sorted by name, then value, both encoded; the signature itself left out.
    private static func appendQuery(_ query: String, to output: inout [UInt8]) {
        guard !query.isEmpty else { return }
        var pairs: [(name: [UInt8], value: [UInt8])] = []
        for part in query.utf8.split(separator: UInt8(ascii: "&")) {
            let mark = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
            var name: [UInt8] = []
            appendCanonical(part[..<mark], to: &name, keepsSlash: false, plusIsSpace: true)
            if name.elementsEqual("X-Amz-Signature".utf8) { continue }
            var value: [UInt8] = []
            if mark != part.endIndex {
                let text = part[part.index(after: mark)...]
                appendCanonical(text, to: &value, keepsSlash: false, plusIsSpace: true)
            }
            pairs.append((name, value))
        }
        pairs.sort { left, right in
            if left.name == right.name {
                return left.value.lexicographicallyPrecedes(right.value)
            }
            return left.name.lexicographicallyPrecedes(right.name)
        }
        for (index, pair) in pairs.enumerated() {
            if index > 0 { output.append(UInt8(ascii: "&")) }
            output.append(contentsOf: pair.name)
            output.append(UInt8(ascii: "="))
            output.append(contentsOf: pair.value)
        }
    }

    /// Trimmed, and runs of spaces as one.
    private static func appendFolded(_ value: String.UTF8View, to output: inout [UInt8]) {
        var isAtStart = true
        var hasGap = false
        for byte in value {
            if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") {
                hasGap = true
                continue
            }
            if hasGap && !isAtStart { output.append(UInt8(ascii: " ")) }
            hasGap = false
            isAtStart = false
            output.append(byte)
        }
    }
}
