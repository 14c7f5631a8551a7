import Core
import NIOCore
import NIOEmbedded
import NIOSSL
import Testing

@testable import Wire

@Suite struct FirstBytesTests {
    /// What BoringSSL sends first.
    private static func clientHello(alpn: [String]) throws -> ByteBuffer {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.applicationProtocols = alpn
        configuration.certificateVerification = .none
        // The system's are slow to read.
        configuration.trustRoots = .certificates([])
        let context = try NIOSSLContext(configuration: configuration)
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandler(
            NIOSSLClientHandler(context: context, serverHostname: "example.org"))
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        var bytes = ByteBuffer()
        while var piece = try channel.readOutbound(as: ByteBuffer.self) {
            bytes.writeBuffer(&piece)
        }
        return bytes
    }

    /// The same hello in records of `size` bytes.
    private static func recut(_ hello: ByteBuffer, into size: Int) -> ByteBuffer {
        var hello = hello
        hello.moveReaderIndex(forwardBy: 5)
        var bytes = ByteBuffer()
        while hello.readableBytes > 0,
            var piece = hello.readSlice(length: min(size, hello.readableBytes))
        {
            bytes.writeMultipleIntegers(UInt8(22), UInt16(0x0301), UInt16(piece.readableBytes))
            bytes.writeBuffer(&piece)
        }
        return bytes
    }

    @Test func `the protocols that a client offers are seen`() throws {
        #expect(
            FirstBytes.look(at: try Self.clientHello(alpn: ["dst/1"])) == .tls(alpn: ["dst/1"]))
        #expect(
            FirstBytes.look(at: try Self.clientHello(alpn: ["h2", "http/1.1"]))
                == .tls(alpn: ["h2", "http/1.1"]))
        #expect(FirstBytes.look(at: try Self.clientHello(alpn: [])) == .tls(alpn: []))
    }

    @Test(arguments: [40, 50, 1000])
    func `a hello may come in many records and byte by byte`(size: Int) throws {
        let hello = Self.recut(try Self.clientHello(alpn: ["dst/1"]), into: size)
        for count in 0..<hello.readableBytes {
            let piece = hello.getSlice(at: hello.readerIndex, length: count)!
            #expect(FirstBytes.look(at: piece) == .needMore, "\(count)")
        }
        #expect(FirstBytes.look(at: hello) == .tls(alpn: ["dst/1"]))
    }

    @Test func `a hello cut to crumbs is garbage`() throws {
        let hello = Self.recut(try Self.clientHello(alpn: ["dst/1"]), into: 1)
        #expect(FirstBytes.look(at: hello) == .garbage)
    }

    @Test func `HTTP is told by its method`() {
        for text in ["GET / HTTP/1.1\r\n", "PUT /a", "DELETE /x", "OPTIONS * "] {
            #expect(FirstBytes.look(at: ByteBuffer(string: text)) == .http)
        }
        #expect(FirstBytes.look(at: ByteBuffer(string: "GE")) == .needMore)
        #expect(FirstBytes.look(at: ByteBuffer()) == .needMore)
    }

    @Test func `anything else is garbage, as early as it shows`() {
        for text in ["get / HTTP/1.1", "\u{0}", " GET", "SSH-2.0-OpenSSH", "AAAAAAAAAAAAAAAAAAAA"] {
            #expect(FirstBytes.look(at: ByteBuffer(string: text)) == .garbage, "\(text)")
        }
        #expect(FirstBytes.look(at: ByteBuffer(bytes: [22, 9])) == .garbage)
        #expect(FirstBytes.look(at: ByteBuffer(bytes: [22, 3, 1, 0, 0])) == .garbage)
        #expect(FirstBytes.look(at: ByteBuffer(bytes: [22, 3, 1, 0, 4, 2])) == .garbage)
    }

    private static let sample = Result {
        Array(try clientHello(alpn: ["dst/1", "x"]).readableBytesView)
    }

    @Test(arguments: 0..<300 as Range<UInt64>)
    func `a hello with bytes changed is no crash`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var hello = try Self.sample.get()
        for _ in 0..<Int.random(in: 1...8, using: &random) {
            hello[Int.random(in: 0..<hello.count, using: &random)] = .random(
                in: 0...255, using: &random)
        }
        _ = FirstBytes.look(at: ByteBuffer(bytes: hello))
        let garbage = (0..<500).map { _ in UInt8.random(in: 0...255, using: &random) }
        _ = FirstBytes.look(at: ByteBuffer(bytes: [22, 3, 1] + garbage))
    }

    @Test func `a hello that never ends is garbage after sixteen KiB`() {
        var bytes = ByteBuffer(bytes: [22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xff])
        bytes.writeRepeatingByte(0, count: WireLimits.sniffBytesMax - 100)
        #expect(FirstBytes.look(at: bytes) == .needMore)
        bytes.writeRepeatingByte(0, count: 200)
        #expect(FirstBytes.look(at: bytes) == .garbage)
    }
}
