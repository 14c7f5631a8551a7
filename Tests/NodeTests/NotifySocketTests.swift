import Core
import Foundation
import Logging
import Testing

@testable import dstnode

/// The other end: a datagram socket as a service manager has it.
private final class Listener {
    private let descriptor: Int32

    /// - Parameter address: A path, or a name after `@`.
    init(_ address: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        let isAbstract = address.hasPrefix("@")
        let bytes = Array((isAbstract ? "\0" + address.dropFirst() : address).utf8)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
        // An abstract name ends where the address does; the kernel compares every byte of it.
        let length = socklen_t(2 + bytes.count + (isAbstract ? 0 : 1))
        let result = withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length)
            }
        }
        try #require(result == 0, "bind: \(String(cString: strerror(errno)))")
    }

    deinit { close(descriptor) }

    func receive() -> String {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}

@Suite struct NotifySocketTests {
    private let path = NSTemporaryDirectory() + "notify-\(UUID().uuidString.prefix(8))"

    @Test func `a path is reached`() throws {
        defer { unlink(path) }
        let listener = try Listener(path)
        try NotifySocket(address: path).send("READY=1\nSTATUS=ready")
        #expect(listener.receive() == "READY=1\nSTATUS=ready")
    }

    @Test func `an abstract name is reached`() throws {
        let name = "@dst-notify-\(UUID().uuidString)"
        let listener = try Listener(name)
        try NotifySocket(address: name).send("WATCHDOG=1")
        #expect(listener.receive() == "WATCHDOG=1")
    }

    @Test func `the longest names fit and longer ones are refused`() throws {
        let name = "@" + String(repeating: "n", count: NotifySocket.nameBytesMax - 1)
        let listener = try Listener(name)
        try NotifySocket(address: name).send("A=1")
        #expect(listener.receive() == "A=1")
        for address in [name + "n", "", "@", "relative", "vsock:2:1234"] {
            #expect(throws: NotifySocket.Problem.address(address)) {
                try NotifySocket(address: address)
            }
        }
    }

    @Test func `nobody listening is an error and no wait`() throws {
        let socket = try NotifySocket(address: path)
        #expect(throws: NotifySocket.Problem.system(call: "sendto", code: ENOENT)) {
            try socket.send("READY=1")
        }
    }

    @Test func `a manager that does not read is an error and no wait`() throws {
        defer { unlink(path) }
        let listener = try Listener(path)
        let socket = try NotifySocket(address: path)
        #expect(throws: NotifySocket.Problem.system(call: "sendto", code: EAGAIN)) {
            for _ in 0..<100_000 { try socket.send("WATCHDOG=1") }
        }
        #expect(listener.receive() == "WATCHDOG=1")
    }

    @Test func `the watchdog is for the process it names`() {
        let usec = ["WATCHDOG_USEC": "30000000"]
        #expect(ServiceManager.watchdog(usec, process: 7) == .seconds(30))
        let mine = usec.merging(["WATCHDOG_PID": "7"]) { $1 }
        #expect(ServiceManager.watchdog(mine, process: 7) == .seconds(30))
        #expect(ServiceManager.watchdog(mine, process: 8) == nil)
        #expect(ServiceManager.watchdog([:], process: 7) == nil)
        #expect(ServiceManager.watchdog(["WATCHDOG_USEC": "soon"], process: 7) == nil)
    }

    @Test func `the loop tells all that changes and pings`() async throws {
        defer { unlink(path) }
        let listener = try Listener(path)
        let manager = try #require(
            ServiceManager(
                environment: ["NOTIFY_SOCKET": path, "WATCHDOG_USEC": "40000"],
                clocks: SystemClocks(), logger: Logger(label: "test")))
        let told = Task {
            await manager.run {
                ServiceReport.Facts(isOpen: true, problem: nil, unreadiness: "no leader")
            }
        }
        defer { told.cancel() }
        var heard: [String] = []
        while heard.count < 3 {
            let message = listener.receive()
            if message.isEmpty {
                try await Task.sleep(for: .milliseconds(1))
            } else {
                heard.append(message)
            }
        }
        #expect(heard[0] == "READY=1\nWATCHDOG=1\nSTATUS=not ready: no leader")
        #expect(heard[1...] == ["WATCHDOG=1", "WATCHDOG=1"])
    }

    @Test func `without a socket there is nobody to tell`() {
        for environment in [[:], ["NOTIFY_SOCKET": ""], ["NOTIFY_SOCKET": "nonsense"]] {
            let manager = ServiceManager(
                environment: environment, clocks: SystemClocks(), logger: Logger(label: "test"))
            #expect(manager == nil)
        }
    }
}
