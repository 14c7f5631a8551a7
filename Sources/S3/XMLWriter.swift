/// Writes a document of elements and text; everything is escaped here.
package struct XMLWriter {
    package private(set) var bytes: [UInt8]
    private static let namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

    package init(capacity: Int = 512) {
        bytes = []
        bytes.reserveCapacity(capacity)
        raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
    }

    /// Opens the root element of one of S3's documents, in its name space.
    package mutating func openRoot(_ name: String) {
        raw("<\(name) xmlns=\"\(Self.namespace)\">")
    }

    /// - Parameter attributes: Written as they are.
    package mutating func open(_ name: String, attributes: String = "") {
        raw("<")
        raw(name)
        raw(attributes)
        raw(">")
    }

    package mutating func close(_ name: String) {
        raw("</")
        raw(name)
        raw(">")
    }

    package mutating func element(_ name: String, _ text: String) {
        element(name, utf8: text.utf8)
    }

    package mutating func element(_ name: String, utf8 text: some Sequence<UInt8>) {
        open(name)
        for byte in text { escape(byte) }
        close(name)
    }

    package mutating func text(_ text: String) {
        for byte in text.utf8 { escape(byte) }
    }

    package mutating func element(_ name: String, _ value: Bool) {
        element(name, value ? "true" : "false")
    }

    package mutating func element(_ name: String, _ value: Int) { element(name, "\(value)") }

    private mutating func escape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "&"): raw("&amp;")
        case UInt8(ascii: "<"): raw("&lt;")
        case UInt8(ascii: ">"): raw("&gt;")
        case UInt8(ascii: "\""): raw("&quot;")
        // A reader would turn it into a line feed otherwise.
        case UInt8(ascii: "\r"): raw("&#13;")
        default: bytes.append(byte)
        }
    }

    private mutating func raw(_ text: String) { bytes.append(contentsOf: text.utf8) }
}
