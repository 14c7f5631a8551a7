import Foundation

/// The socket on which a service manager waits for word from its service: `sd_notify(3)`, without
/// libsystemd.
struct NotifySocket: Sendable {
    enum Problem: Error, Equatable, CustomStringConvertible {
        case address(String)
        case system(call: String, code: Int32)

        var description: String {
            switch self {
            case .address(let text):
                "NOTIFY_SOCKET is '\(text)', which is neither a path nor an abstract name (@…) of "
                    + "at most \(NotifySocket.nameBytesMax) bytes"
            case .system(let call, let code): "\(call): \(String(cString: strerror(code)))"
            }
        }
    }

    /// What fits into `sockaddr_un` (unix(7)) with the zero byte that ends a path.
    static let nameBytesMax = 107

    private let descriptor: SocketDescriptor
    /// A path, or an abstract name without its zero byte.
    private let name: [UInt8]
    private let isAbstract: Bool

    /// - Parameter address: As `NOTIFY_SOCKET` says it: `/a/path` or `@an-abstract-name`.
    init(address: String) throws(Problem) {
        let bytes = Array(address.utf8)
        guard let first = bytes.first, bytes.count <= Self.nameBytesMax, !bytes.contains(0) else {
            throw .address(address)
        }
        switch first {
        case UInt8(ascii: "/"): (name, isAbstract) = (bytes, false)
        case UInt8(ascii: "@") where bytes.count > 1:
            (name, isAbstract) = (Array(bytes.dropFirst()), true)
        default: throw .address(address)
        }
        let number = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw .system(call: "socket", code: errno) }
        descriptor = SocketDescriptor(number: number)
    }

    /// Sends one datagram of `NAME=value` lines. Never blocks: a service manager that does not
    /// listen must not stop a node.
    func send(_ message: String) throws(Problem) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // An abstract name begins with a zero byte, a path ends with one: `address` is all zeros.
        withUnsafeMutableBytes(of: &address.sun_path) { path in
            UnsafeMutableRawBufferPointer(rebasing: path[(isAbstract ? 1 : 0)...])
                .copyBytes(from: name)
        }
        let pathOffset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
        // Either way with one zero byte.
        let length = socklen_t(pathOffset + name.count + 1)
        let bytes = Array(message.utf8)
        let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        let sent = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                sendto(descriptor.number, bytes, bytes.count, flags, generic, length)
            }
        }
        guard sent == bytes.count else { throw .system(call: "sendto", code: errno) }
    }
}

/// Closed with the last who holds it.
private final class SocketDescriptor: Sendable {
    let number: Int32
    init(number: Int32) { self.number = number }
    deinit { close(number) }
}
