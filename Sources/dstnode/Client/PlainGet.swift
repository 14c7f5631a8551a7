import Core
import Foundation

/// One GET over plain HTTP, with blocking calls and nothing else: what a container's health check
/// costs is paid by every node every few seconds, and starting an HTTP client is most of it.
enum PlainGet {
    struct Answer: Sendable {
        let status: Int
        let text: String
    }

    /// Where it failed, in words for operators.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    static let bytesMax = 64 << 10

    /// Asks on a thread of its own.
    static func ask(
        _ address: HostPort, _ path: String, within limit: Duration
    ) async -> Result<Answer, Failure> {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(
                    returning: Result { () throws(Failure) in
                        try get(address, path, until: ContinuousClock.now + limit)
                    })
            }
        }
    }

    /// Blocks. A name is looked up without a limit of ours.
    static func get(
        _ address: HostPort, _ path: String, until deadline: ContinuousClock.Instant
    ) throws(Failure) -> Answer {
        let descriptor = try connected(address, until: deadline)
        defer { close(descriptor) }
        // The answer ends with the connection.
        let request = "GET \(path) HTTP/1.1\r\nHost: \(address)\r\nConnection: close\r\n\r\n"
        var bytes = Array(request.utf8)[...]
        while !bytes.isEmpty {
            try wait(descriptor, Int16(POLLOUT), until: deadline)
            // MSG_NOSIGNAL: a peer that hangs up is an answer, not a signal.
            let count = bytes.withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw failure("send") }
            bytes = bytes.dropFirst(count)
        }
        return try answer(try response(descriptor, until: deadline))
    }

    private static func connected(
        _ address: HostPort, until deadline: ContinuousClock.Instant
    ) throws(Failure) -> Int32 {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(address.host, String(address.port), &hints, &list)
        guard code == 0, let first = list else {
            throw Failure(description: "no address (\(String(cString: gai_strerror(code))))")
        }
        defer { freeaddrinfo(list) }
        let kind = first.pointee.ai_socktype | Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(first.pointee.ai_family, kind, first.pointee.ai_protocol)
        guard descriptor >= 0 else { throw failure("socket") }
        do throws(Failure) {
            if connect(descriptor, first.pointee.ai_addr, first.pointee.ai_addrlen) != 0 {
                guard errno == EINPROGRESS else { throw failure("connect") }
                try wait(descriptor, Int16(POLLOUT), until: deadline)
                var error: Int32 = 0
                var length = socklen_t(MemoryLayout<Int32>.size)
                getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length)
                if error != 0 { throw failure("connect", error) }
            }
            return descriptor
        } catch {
            close(descriptor)
            throw error
        }
    }

    private static func response(
        _ descriptor: Int32, until deadline: ContinuousClock.Instant
    ) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while bytes.count < bytesMax {
            try wait(descriptor, Int16(POLLIN), until: deadline)
            let count = buffer.withUnsafeMutableBytes {
                recv(descriptor, $0.baseAddress, $0.count, 0)
            }
            if count == 0 { return bytes }
            guard count > 0 else { throw failure("receive") }
            bytes += buffer[..<count]
        }
        throw Failure(description: "the answer is too long")
    }

    private static func answer(_ bytes: [UInt8]) throws(Failure) -> Answer {
        let text = String(decoding: bytes, as: UTF8.self)
        let words = text.prefix { $0 != "\r\n" && $0 != "\n" }.split(separator: " ")
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]),
            let end = text.range(of: "\r\n\r\n")
        else { throw Failure(description: "it does not speak HTTP") }
        return Answer(
            status: status,
            text: text[end.upperBound...].trimmingCharacters(in: .whitespacesAndNewlines))
    }

    private static func wait(
        _ descriptor: Int32, _ events: Int16, until deadline: ContinuousClock.Instant
    ) throws(Failure) {
        var entry = pollfd(fd: descriptor, events: events, revents: 0)
        while true {
            let left = (deadline - ContinuousClock.now).nanoseconds / 1_000_000
            let count = left > 0 ? poll(&entry, 1, Int32(clamping: left)) : 0
            if count > 0 { return }
            if count == 0 { throw Failure(description: "no answer in time") }
            guard errno == EINTR else { throw failure("poll") }
        }
    }

    private static func failure(_ call: String, _ code: Int32 = errno) -> Failure {
        Failure(description: "\(call): \(String(cString: strerror(code)))")
    }
}
