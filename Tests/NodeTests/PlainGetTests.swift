import Core
import Foundation
import Testing

@testable import dstnode

/// A server on the loopback interface that answers one connection with what it was told.
private final class OneAnswer: Sendable {
    let address: HostPort
    private let listener: Int32

    /// - Parameter answer: `nil`: it accepts and is silent.
    init(_ answer: String?) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &place) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(listener, generic, length) == 0 && listen(listener, 4) == 0
                    && getsockname(listener, generic, &length) == 0
            }
        }
        try #require(isBound)
        self.listener = listener
        address = HostPort(host: "127.0.0.1", port: Int(UInt16(bigEndian: place.sin_port)))
        guard let answer else { return }
        Thread.detachNewThread {
            let client = accept(listener, nil, nil)
            guard client >= 0 else { return }
            var buffer = [UInt8](repeating: 0, count: 1024)
            _ = buffer.withUnsafeMutableBytes { recv(client, $0.baseAddress, $0.count, 0) }
            let bytes = Array(answer.utf8)
            _ = bytes.withUnsafeBytes {
                send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            close(client)
        }
    }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }
}

@Suite struct PlainGetTests {
    private func ask(_ address: HostPort, within limit: Duration = .seconds(5)) async -> String {
        switch await PlainGet.ask(address, "/health", within: limit) {
        case .success(let answer): "\(answer.status) \(answer.text)"
        case .failure(let failure): "\(failure)"
        }
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhealthy\n", "200 healthy"),
        ("HTTP/1.0 503 Service Unavailable\r\n\r\nno leader", "503 no leader"),
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n", "it does not speak HTTP"),
        ("HTTP/1.1 200 OK\r\n", "it does not speak HTTP"), ("", "it does not speak HTTP"),
        (
            "HTTP/1.1 200 OK\r\n\r\n" + String(repeating: "x", count: PlainGet.bytesMax),
            "the answer is too long"
        ),
    ])
    func `what a server says is read as it is`(said: String, read: String) async throws {
        let server = try OneAnswer(said)
        defer { server.stop() }
        #expect(await ask(server.address) == read)
    }

    @Test func `a silent server costs no more than the limit`() async throws {
        let server = try OneAnswer(nil)
        defer { server.stop() }
        #expect(await ask(server.address, within: .milliseconds(100)) == "no answer in time")
    }

    @Test func `nobody there is said so`() async throws {
        let server = try OneAnswer(nil)
        server.stop()
        #expect(await ask(server.address) == "connect: Connection refused")
        let nowhere = await ask(HostPort(host: "no-such-host.invalid", port: 9000))
        #expect(nowhere.hasPrefix("no address ("))
    }
}
