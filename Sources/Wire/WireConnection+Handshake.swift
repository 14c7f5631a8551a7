import Core
import Logging
import Messages
import NIOCore
import NIOTLS

extension WireConnection {
    func isHandshakeCompleted(_ event: Any) -> Bool {
        guard case .handshakeCompleted(let negotiated) = event as? TLSUserEvent else {
            return false
        }
        if negotiated != Handshake.alpn {
            close(.refused("the peer did not agree to \(Handshake.alpn)"))
            return false
        }
        return true
    }

    /// The client speaks first.
    func tlsIsUp() {
        guard state == .shakingHands else { return }
        guard certificate.identity != nil else {
            // A resumed session would come without a certificate.
            refuse("the peer's certificate was not seen")
            return
        }
        if case .client(let client) = side {
            ownCluster = client.cluster
            writeHello(
                Handshake.hello(
                    identity: client.identity, cluster: client.cluster, lane: client.lane,
                    settings: settings))
        }
    }

    private func writeHello(_ hello: ProtoHello) {
        ownHello = hello
        Preface.write(into: &out)
        write(.hello, payload: ByteBuffer(message: hello))
    }

    func receiveHello(_ payload: ByteBuffer) throws(FrameError) {
        guard let hello = payload.decoded(as: ProtoHello.self) else { throw .malformed(.hello) }
        guard let identity = certificate.identity else {
            refuse("the peer's certificate was not seen")
            return
        }
        do throws(HandshakeRefusal) {
            switch side {
            case .client(let client):
                guard ownHello != nil else { throw HandshakeRefusal(text: "hello before TLS") }
                if !hello.refusal.isEmpty {
                    throw HandshakeRefusal(text: "the peer refuses us: \(hello.refusal)")
                }
                peerCluster = try Handshake.check(
                    hello, certificate: identity, cluster: client.cluster,
                    expected: client.expected)
            case .server(let server):
                ownCluster = server.cluster()
                peerCluster = try Handshake.check(
                    hello, certificate: identity, cluster: ownCluster, expected: nil)
                try server.admit(identity, self)
                writeHello(server.hello(cluster: ownCluster, lane: .control, settings: settings))
            }
        } catch {
            refuse(error.text)
            return
        }
        isUp(hello, identity)
    }

    private func isUp(_ hello: ProtoHello, _ identity: PeerIdentity) {
        peer = identity
        sendWindow = Int(hello.connectionWindow)
        peerStreamWindow = Int(hello.streamWindow)
        peerMessageBytesMax = Int(hello.messageBytesMax)
        decoder.lengthMax = settings.messageBytesMax + WireLimits.requestHeadBytes
        handshakeTimer?.cancel()
        handshakeTimer = nil
        state = .ready
        startTicking()
        if case .client(let client) = side { client.onReady(self) }
    }

    /// Logs, tells the peer if we are the server, and closes.
    private func refuse(_ text: String) {
        warn("node protocol handshake refused", text)
        if case .server(let server) = side, certificate.identity != nil {
            var hello = server.hello(cluster: nil, lane: .control, settings: settings)
            hello.refusal = text
            writeHello(hello)
            flush()
        }
        close(.refused(text))
    }

    // MARK: Liveness

    private func startTicking() {
        let now = eventLoop.now
        lastHeard = now
        lastUsed = now
        lastTick = now
        scheduleTick()
    }

    private func scheduleTick() {
        ticker = eventLoop.assumeIsolated().scheduleTask(in: settings.pingInterval) {
            self.tick(self.eventLoop.now)
            if self.state != .closed { self.scheduleTick() }
        }
    }

    func tick(_ now: NIODeadline) {
        // This process itself stood still: what the peer sent meanwhile is not read yet.
        if now - lastTick > settings.pingInterval * 2 { lastHeard = now }
        lastTick = now
        let silence = now - lastHeard
        if isClient {
            if silence >= settings.deadAfter {
                close(.connectionLost("the peer is silent"))
            } else if streams.isEmpty, now - lastUsed >= settings.idleAfter {
                close(.connectionLost("idle"))
            } else if silence >= settings.pingInterval {
                write(.ping, headBytes: 8) {
                    $0.writeInteger(now.uptimeNanoseconds, endianness: .little)
                }
            }
        } else if silence >= settings.deadAfter + settings.pingInterval * 2 {
            close(.connectionLost("the peer is silent"))
        }
    }

    /// Server: lets the calls in flight finish and takes no new ones.
    func drain() {
        guard state == .ready else {
            close(.connectionLost("the node is stopping"))
            return
        }
        state = .draining
        write(.goAway)
        flush()
        closeIfDrained()
    }

    /// Client: opens nothing more here.
    func retire() {
        guard state == .ready else { return }
        state = .draining
        closeIfDrained()
    }
}
