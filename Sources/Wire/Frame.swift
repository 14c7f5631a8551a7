import NIOCore

/// The kinds of frames. The number is on the wire and is never reused.
enum FrameType: UInt8 {
    case hello = 1
    case request = 2
    case reply = 3
    case data = 4
    case failure = 5
    case cancel = 6
    case window = 7
    case ping = 8
    case pong = 9
    case message = 10
    case goAway = 11
}

/// The header of every frame; numbers are little-endian.
///
/// | offset | bytes | field  |                                                        |
/// |-------:|------:|--------|--------------------------------------------------------|
/// |      0 |     4 | length | payload bytes after the header                         |
/// |      4 |     1 | type   | ``FrameType``                                          |
/// |      5 |     1 | flags  | bit 0: the sender's last frame on the stream; others 0 |
/// |      6 |     2 | –      | 0                                                      |
/// |      8 |     4 | stream | 0: the connection itself                               |
struct FrameHeader: Equatable {
    static let endFlag: UInt8 = 1

    var length: Int
    var type: FrameType
    var isEnd: Bool
    var stream: UInt32

    func write(into buffer: inout ByteBuffer) {
        buffer.writeMultipleIntegers(
            UInt32(length), type.rawValue, isEnd ? Self.endFlag : 0, UInt16(0), stream,
            endianness: .little)
    }

    /// Reads the 12 bytes of a header, which must be there.
    static func read(
        from buffer: inout ByteBuffer, lengthMax: Int
    ) throws(FrameError) -> FrameHeader {
        guard
            let (length, type, flags, zero, stream) = buffer.readMultipleIntegers(
                endianness: .little, as: (UInt32, UInt8, UInt8, UInt16, UInt32).self)
        else { preconditionFailure("the caller has twelve bytes") }
        guard let type = FrameType(rawValue: type) else { throw .unknownType(type) }
        guard flags & ~Self.endFlag == 0, zero == 0 else { throw .reservedBits }
        guard Int(length) <= lengthMax else { throw .tooLong(Int(length), max: lengthMax) }
        return FrameHeader(
            length: Int(length), type: type, isEnd: flags & Self.endFlag != 0, stream: stream)
    }
}

/// The peer does not keep to the format: the connection is closed.
enum FrameError: Error, Equatable {
    case badPreface
    case unknownPrefaceVersion(UInt16)
    case unknownType(UInt8)
    case reservedBits
    case tooLong(Int, max: Int)
    case malformed(FrameType)
    case unexpected(FrameType)
    /// More was sent than the window let.
    case windowExceeded
    case badStream(UInt32)
}

/// The eight bytes that both sides send first: `DSTW`, the version of the framing, two zero bytes.
enum Preface {
    static let version: UInt16 = 1
    static let byteCount = 8
    private static let magic: [UInt8] = Array("DSTW".utf8)

    static func write(into buffer: inout ByteBuffer) {
        buffer.writeBytes(magic)
        buffer.writeMultipleIntegers(version, UInt16(0), endianness: .little)
    }

    static func check(_ buffer: inout ByteBuffer) throws(FrameError) {
        guard let bytes = buffer.readBytes(length: magic.count), bytes == magic,
            let (version, zero) = buffer.readMultipleIntegers(
                endianness: .little, as: (UInt16, UInt16).self)
        else { throw .badPreface }
        guard version == Self.version else { throw .unknownPrefaceVersion(version) }
        guard zero == 0 else { throw .badPreface }
    }
}
