import Messages
import ObjectStore
import S3

extension ObjectAttributes {
    /// What a request wants kept with the object.
    init(_ headers: S3Headers) {
        self.init()
        for field in headers {
            switch field.name {
            case "content-type", "cache-control", "content-disposition", "content-language",
                "expires":
                self.headers.append(Self.pair(field.name, field.value))
            case "content-encoding":
                // `aws-chunked` is how the body travels, not what it is.
                let value = field.value.split(separator: ",")
                    .filter { Self.trimmed($0) != "aws-chunked" }.joined(separator: ",")
                if !value.isEmpty {
                    self.headers.append(Self.pair(field.name, Self.trimmed(value[...])))
                }
            default:
                guard field.name.utf8.starts(with: "x-amz-meta-".utf8) else { continue }
                addMetadata(String(field.name.dropFirst(11)), field.value)
            }
        }
    }

    /// A header that comes twice means both values.
    private mutating func addMetadata(_ name: String, _ value: String) {
        if let index = userMetadata.firstIndex(where: { $0.name == name }) {
            userMetadata[index].value += "," + value
        } else {
            userMetadata.append(Self.pair(name, value))
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }

    private static func pair(_ name: String, _ value: String) -> ProtoNameValue {
        var pair = ProtoNameValue()
        pair.name = name
        pair.value = value
        return pair
    }
}

extension ReadConditions {
    init(_ headers: ReadConditionHeaders) {
        self.init()
        ifMatch = headers.ifMatch
        ifNoneMatch = headers.ifNoneMatch
        ifModifiedSince = headers.ifModifiedSince
        ifUnmodifiedSince = headers.ifUnmodifiedSince
    }
}

extension WriteConditions {
    init(_ headers: WriteConditionHeaders) {
        self.init(ifMatch: headers.ifMatch, ifNoneMatchAny: headers.isCreateOnly)
    }
}

extension ByteRange {
    init(_ header: RangeHeader) {
        switch header {
        case .from(let first): self = .from(first)
        case .between(let first, let last): self = .closed(first, last)
        case .last(let count): self = .suffix(count)
        }
    }
}
