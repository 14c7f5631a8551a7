import Testing

@testable import Core

struct JoinTokenTests {
    private func token(_ role: NodeRole = .storage) -> JoinToken {
        var random = SystemRandomNumberGenerator()
        return JoinToken(
            role: role, fingerprint: String(repeating: "0a", count: 32), using: &random)
    }

    @Test func `a token is read as it was written`() {
        for role in [NodeRole.storage, .gateway] {
            let token = token(role)
            #expect(JoinToken(token.text) == token)
        }
        #expect(token().text != token().text)
    }

    @Test func `what is no token is none`() {
        let text = token().text
        for bad in [
            "", "dst1", text.dropLast() + "", text + "0", "dst2" + text.dropFirst(4),
            text.replacing("storage", with: "coordinator"), text.replacing("storage", with: "disk"),
            text.replacing(".", with: ":"), " " + text,
        ] {
            #expect(JoinToken(bad) == nil, "\(bad)")
        }
    }
}
