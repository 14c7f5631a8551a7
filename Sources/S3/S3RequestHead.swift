/// What a request says before its body, as it came over the wire.
package struct S3RequestHead: Sendable {
    package var method: String
    /// Percent-encoded, as sent, from the first `/`.
    package var path: String
    /// As sent, without the `?`; empty where there is none.
    package var query: String
    package var headers: S3Headers

    package init(method: String, path: String, query: String = "", headers: S3Headers) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
    }

    /// - Parameter target: The request target in origin form: path, then perhaps `?` and a query.
    package init(method: String, target: String, headers: S3Headers) {
        let utf8 = target.utf8
        if let mark = utf8.firstIndex(of: UInt8(ascii: "?")) {
            self.init(
                method: method, path: String(target[..<mark]),
                query: String(target[utf8.index(after: mark)...]), headers: headers)
        } else {
            self.init(method: method, path: target, headers: headers)
        }
    }
}

/// Header fields in the order sent; names in lower case. An array: requests have ten of them, and
/// a search through ten short strings beats a hash.
package struct S3Headers: Sendable, Sequence {
    package typealias Field = (name: String, value: String)
    package private(set) var fields: [Field] = []

    package init() {}

    package init(_ fields: [(String, String)]) {
        for (name, value) in fields { append(name.lowercased(), value) }
    }

    /// - Parameter name: In lower case.
    package mutating func append(_ name: String, _ value: String) {
        fields.append((name, value))
    }

    package mutating func reserveCapacity(_ count: Int) { fields.reserveCapacity(count) }

    /// The first value. - Parameter name: In lower case.
    package subscript(name: String) -> String? {
        for field in fields where field.name == name { return field.value }
        return nil
    }

    package func has(_ name: String) -> Bool { self[name] != nil }

    package func makeIterator() -> IndexingIterator<[Field]> { fields.makeIterator() }
}
