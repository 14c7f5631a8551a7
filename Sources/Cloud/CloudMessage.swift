import Core

/// Where a service is: `http://host:port` or `https://host`, without a path.
package struct CloudEndpoint: Hashable, Sendable, CustomStringConvertible {
    package let isSecure: Bool
    /// A name, an IPv4 address, or an IPv6 address in brackets.
    package let host: String
    /// `nil`: the scheme's own.
    package let port: Int?

    package init(isSecure: Bool, host: String, port: Int? = nil) {
        self.isSecure = isSecure
        self.host = host.lowercased()
        self.port = port == (isSecure ? 443 : 80) ? nil : port
    }

    /// Reads an absolute URL as far as its path.
    ///
    /// - Returns: The endpoint and the rest of the URL, empty or from the first `/` or `?`; `nil`
    ///   for anything with user, password or another scheme.
    package static func split(_ url: String) -> (CloudEndpoint, rest: String)? {
        let isSecure: Bool
        let behind: Substring
        if url.lowercased().hasPrefix("https://") {
            (isSecure, behind) = (true, url.dropFirst(8))
        } else if url.lowercased().hasPrefix("http://") {
            (isSecure, behind) = (false, url.dropFirst(7))
        } else {
            return nil
        }
        let authority = behind.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let rest = behind.dropFirst(authority.count)
        guard let parsed = HostPort(authority, defaultPort: isSecure ? 443 : 80),
            !rest.contains("#"), rest.utf8.allSatisfy({ $0 > 32 && $0 < 127 })
        else { return nil }
        let host = parsed.host.contains(":") ? "[\(parsed.host)]" : parsed.host
        return (CloudEndpoint(isSecure: isSecure, host: host, port: parsed.port), String(rest))
    }

    package init?(_ text: String) {
        guard let (endpoint, rest) = Self.split(text), rest.isEmpty || rest == "/" else {
            return nil
        }
        self = endpoint
    }

    /// As the `Host` header says it.
    package var authority: String { host + (port.map { ":\($0)" } ?? "") }

    package var description: String { (isSecure ? "https://" : "http://") + authority }
}

/// One request to a cloud: a value, so that tests compare what would be sent.
package struct CloudRequest: Sendable, Equatable {
    package struct Header: Sendable, Equatable {
        /// In lower case.
        package let name: String
        package let value: String
    }

    package var method: String
    package var endpoint: CloudEndpoint
    /// Percent-encoded, from the `/`; perhaps with `?query`.
    package var target: String
    /// Without `host`.
    package var headers: [Header]
    package var body: [UInt8]
    /// Bytes of the reply that are read.
    package var replyBytesMax: Int

    package init(
        _ method: String, _ endpoint: CloudEndpoint, _ target: String,
        headers: [(String, String)] = [], body: [UInt8] = [],
        replyBytesMax: Int = CloudLimits.metadataBytesMax
    ) {
        self.method = method
        self.endpoint = endpoint
        self.target = target
        self.headers = headers.map { Header(name: $0.0, value: $0.1) }
        self.body = body
        self.replyBytesMax = replyBytesMax
    }

    /// Host and path: a query, a header or a body may hold what nobody should read.
    package var name: String {
        "\(endpoint.authority)\(target.prefix { $0 != "?" })"
    }

    package subscript(header name: String) -> String? {
        headers.first { $0.name == name }?.value
    }
}

package struct CloudReply: Sendable, Equatable {
    package var status: Int
    /// Names in lower case; of several fields of one name the first.
    package var headers: [String: String]
    package var body: [UInt8]

    package init(status: Int, headers: [String: String] = [:], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    package var isFine: Bool { (200..<300).contains(status) }

    /// The body as a line of text, without spaces around it.
    ///
    /// - Returns: `nil` for what is not printable ASCII or longer than `max`.
    func word(max: Int = 4096) -> String? {
        let text = body.drop { $0 == 32 || $0 == 10 || $0 == 13 }
        let end = text.lastIndex { $0 != 32 && $0 != 10 && $0 != 13 }.map { $0 + 1 }
        let word = text[..<(end ?? text.startIndex)]
        guard !word.isEmpty, word.count <= max, word.allSatisfy({ $0 >= 32 && $0 < 127 }) else {
            return nil
        }
        return String(decoding: word, as: UTF8.self)
    }

    /// `Retry-After` in seconds (RFC 9110 section 10.2.3; its form as a date is not used by the
    /// clouds), cut to ``CloudLimits/retryAfterMax``.
    package var retryAfter: Duration? {
        guard let text = headers["retry-after"], let seconds = Int(text), seconds >= 0 else {
            return nil
        }
        return min(.seconds(min(seconds, 86400)), CloudLimits.retryAfterMax)
    }
}
