/// The parameters of a query, decoded, in the order sent.
package struct S3Query: Sendable {
    package struct Parameter: Equatable, Sendable {
        package let name: String
        /// Empty both for `?acl` and for `?acl=`: S3 makes no difference.
        package let value: String
    }

    package let parameters: [Parameter]

    /// - Throws: `InvalidURI` for a broken percent code, text that is not UTF-8, or too many.
    package init(_ raw: String) throws(S3Error) {
        guard !raw.isEmpty else {
            parameters = []
            return
        }
        var parameters: [Parameter] = []
        for part in raw.utf8.split(separator: UInt8(ascii: "&")) {
            guard parameters.count < S3Limits.queryCountMax else {
                throw S3Error(.invalidURI, "The query has too many parameters.")
            }
            let mark = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
            let value = mark == part.endIndex ? part[mark...] : part[part.index(after: mark)...]
            parameters.append(
                Parameter(name: try Self.text(part[..<mark]), value: try Self.text(value)))
        }
        self.parameters = parameters
    }

    private static func text(_ bytes: Substring.UTF8View) throws(S3Error) -> String {
        if !bytes.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) {
            return String(Substring(bytes))
        }
        guard let decoded = PercentCoding.decode(bytes, plusIsSpace: true),
            let text = String(validating: decoded, as: UTF8.self)
        else { throw S3Error(.invalidURI) }
        return text
    }

    package subscript(name: String) -> String? {
        for parameter in parameters where parameter.name == name { return parameter.value }
        return nil
    }

    package func has(_ name: String) -> Bool { self[name] != nil }

    package var isEmpty: Bool { parameters.isEmpty }
}
