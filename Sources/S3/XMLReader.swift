/// An element of a document that was sent to us: its name without prefix, text or children.
/// Attributes are read and dropped: S3's documents carry none that matter.
package struct XMLElement: Equatable, Sendable {
    package let name: String
    /// All character data directly inside.
    package fileprivate(set) var text: String = ""
    package fileprivate(set) var children: [XMLElement] = []

    package func child(_ name: String) -> XMLElement? { children.first { $0.name == name } }
    package func text(of name: String) -> String? { child(name)?.text }
}

/// Reads the documents of S3 requests, and of AWS's answers. No entities but the five of XML and
/// character references, no document types, no processing instructions but the declaration: so
/// nothing can expand or reach outside. Depth, elements and size are limited.
package struct XMLReader {
    private let bytes: [UInt8]
    private var position = 0
    private var elementCount = 0
    private let elementsMax: Int
    private let kept: Set<[UInt8]>?

    /// What a document may be at most.
    package struct Bounds: Sendable {
        package let bytesMax: Int
        package let elementsMax: Int

        package init(bytesMax: Int, elementsMax: Int) {
            self.bytesMax = bytesMax
            self.elementsMax = elementsMax
        }

        /// S3's requests.
        package static let request = Bounds(
            bytesMax: S3Limits.xmlBytesMax, elementsMax: S3Limits.xmlElementsMax)
    }

    /// - Parameter keeping: Names of the elements that matter; others are checked and dropped with
    ///   everything inside, so that a long answer costs what is wanted of it. `nil`: all.
    /// - Returns: The root element.
    /// - Throws: `MalformedXML`.
    package static func read(
        _ bytes: [UInt8], within bounds: Bounds = .request, keeping: Set<String>? = nil
    ) throws(S3Error) -> XMLElement {
        guard bytes.count <= bounds.bytesMax else { throw malformed }
        guard String(validating: bytes, as: UTF8.self) != nil else { throw malformed }
        var reader = XMLReader(
            bytes: bytes, elementsMax: bounds.elementsMax,
            kept: keeping.map { names in Set(names.map { Array($0.utf8) }) })
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { reader.position = 3 }
        try reader.skipMiscellany(allowsDeclaration: true)
        guard let root = try reader.element(depth: 1, isKept: true) else { throw malformed }
        try reader.skipMiscellany(allowsDeclaration: false)
        guard reader.position == bytes.count else { throw malformed }
        return root
    }

    private init(bytes: [UInt8], elementsMax: Int, kept: Set<[UInt8]>?) {
        self.bytes = bytes
        self.elementsMax = elementsMax
        self.kept = kept
    }

    static let malformed = S3Error(.malformedXML)

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func isAt(_ word: String) -> Bool { bytes[position...].starts(with: word.utf8) }

    private mutating func take(_ word: String) throws(S3Error) {
        guard isAt(word) else { throw Self.malformed }
        position += word.utf8.count
    }

    private mutating func skipSpace() {
        while let byte = next, byte == 32 || byte == 9 || byte == 10 || byte == 13 {
            position += 1
        }
    }

    /// Moves behind the next `word`.
    private mutating func skip(to word: String) throws(S3Error) {
        let pattern = Array(word.utf8)
        while position + pattern.count <= bytes.count {
            if bytes[position] == pattern[0], isAt(word) {
                position += pattern.count
                return
            }
            position += 1
        }
        throw Self.malformed
    }

    private mutating func skipMiscellany(allowsDeclaration: Bool) throws(S3Error) {
        skipSpace()
        if allowsDeclaration && isAt("<?xml") { try skip(to: "?>") }
        skipSpace()
        while isAt("<!--") {
            try skip(to: "-->")
            skipSpace()
        }
    }

    /// - Parameter isKept: False inside an element that is dropped.
    /// - Returns: `nil` for one that is dropped.
    private mutating func element(depth: Int, isKept: Bool) throws(S3Error) -> XMLElement? {
        elementCount += 1
        guard depth <= S3Limits.xmlDepthMax, elementCount <= elementsMax else {
            throw Self.malformed
        }
        try take("<")
        let qualifiedName = try name()
        let plainName = Self.withoutPrefix(qualifiedName)
        let isKept = isKept && (depth == 1 || kept?.contains(Array(plainName)) ?? true)
        var element =
            isKept ? XMLElement(name: String(decoding: plainName, as: UTF8.self)) : nil
        if try skipAttributes() { return element }
        try content(of: &element, depth: depth)
        try take("</")
        guard try name() == qualifiedName else { throw Self.malformed }
        skipSpace()
        try take(">")
        return element
    }

    private static func withoutPrefix(_ name: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let start = name.firstIndex(of: UInt8(ascii: ":")).map { $0 + 1 } ?? name.startIndex
        return name[start...]
    }

    private mutating func name() throws(S3Error) -> ArraySlice<UInt8> {
        let start = position
        while let byte = next, PercentCoding.isUnreserved(byte) || byte == UInt8(ascii: ":") {
            position += 1
        }
        guard position > start else { throw Self.malformed }
        return bytes[start..<position]
    }

    /// - Returns: Whether the element ends here (`/>`).
    private mutating func skipAttributes() throws(S3Error) -> Bool {
        while true {
            skipSpace()
            switch next {
            case UInt8(ascii: ">"):
                position += 1
                return false
            case UInt8(ascii: "/"):
                try take("/>")
                return true
            default:
                _ = try name()
                skipSpace()
                try take("=")
                skipSpace()
                guard let quote = next, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'")
                else { throw Self.malformed }
                position += 1
                while let byte = next, byte != quote {
                    guard byte != UInt8(ascii: "<") else { throw Self.malformed }
                    position += 1
                }
                guard next == quote else { throw Self.malformed }
                position += 1
            }
        }
    }

    /// Up to the `</` of the element itself.
    private mutating func content(of element: inout XMLElement?, depth: Int) throws(S3Error) {
        var text: [UInt8] = []
        while let byte = next {
            switch byte {
            case UInt8(ascii: "&"): try reference(into: &text)
            case UInt8(ascii: "<"):
                if isAt("</") {
                    element?.text = String(decoding: text, as: UTF8.self)
                    return
                }
                if isAt("<!--") {
                    try skip(to: "-->")
                } else if isAt("<![CDATA[") {
                    position += 9
                    let start = position
                    try skip(to: "]]>")
                    text += bytes[start..<(position - 3)]
                } else {
                    let child = try self.element(depth: depth + 1, isKept: element != nil)
                    if let child { element?.children.append(child) }
                }
            default:
                text.append(byte)
                position += 1
            }
        }
        throw Self.malformed
    }

    private mutating func reference(into text: inout [UInt8]) throws(S3Error) {
        let start = position + 1
        // The longest are `&#x10FFFF;` and zeros before it.
        guard let end = bytes[start...].prefix(12).firstIndex(of: UInt8(ascii: ";")) else {
            throw Self.malformed
        }
        position = end + 1
        let name = String(decoding: bytes[start..<end], as: UTF8.self)
        switch name {
        case "amp": text.append(UInt8(ascii: "&"))
        case "lt": text.append(UInt8(ascii: "<"))
        case "gt": text.append(UInt8(ascii: ">"))
        case "quot": text.append(UInt8(ascii: "\""))
        case "apos": text.append(UInt8(ascii: "'"))
        default:
            guard let scalar = Self.scalar(name) else { throw Self.malformed }
            text.append(contentsOf: String(Character(scalar)).utf8)
        }
    }

    private static func scalar(_ name: String) -> Unicode.Scalar? {
        let number =
            name.hasPrefix("#x")
            ? UInt32(name.dropFirst(2), radix: 16)
            : name.hasPrefix("#") ? UInt32(name.dropFirst(1)) : nil
        guard let number, number > 0 else { return nil }
        return Unicode.Scalar(number)
    }
}
