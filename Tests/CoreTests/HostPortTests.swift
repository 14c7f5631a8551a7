import Core
import Testing

@Suite struct HostPortTests {
    @Test(arguments: [
        ("a:9000", "a", 9000), ("10.0.0.5:1", "10.0.0.5", 1), ("[::1]:65535", "::1", 65535),
        ("node-1.example.com:80", "node-1.example.com", 80),
        ("dst_node_1:9000", "dst_node_1", 9000),
        ("host", "host", 7), ("[fe80::1]", "fe80::1", 7),
    ])
    func `addresses are read and written back`(text: String, host: String, port: Int) throws {
        let address = try #require(HostPort(text, defaultPort: 7))
        #expect(address.host == host)
        #expect(address.port == port)
        #expect(HostPort(address.description) == address)
    }

    @Test(arguments: [
        "", ":9000", "a:", "a:0", "a:65536", "a:9000x", "a b:1", "::1", "[::1", "[a]:1",
        "[::1]9000",
        "256.1.1.1:1", "1.2.3:1", "01.2.3.4:1", "-a:1", "a..b:1", "http://a:1", "a:+1", "é:1",
    ])
    func `anything else is refused`(text: String) {
        #expect(HostPort(text, defaultPort: 7) == nil)
    }

    @Test func `any port is for those who listen`() {
        #expect(HostPort("127.0.0.1:0") == nil)
        #expect(HostPort("127.0.0.1:0", mayBeAny: true)?.port == 0)
        #expect(HostPort("127.0.0.1:65536", mayBeAny: true) == nil)
    }

    @Test func `the port must be there unless there is another to take`() {
        #expect(HostPort("a") == nil)
    }
}
