import Core
import Synchronization

/// A bearer token and when a new one is due. Prints without the token.
struct BearerToken: Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    let text: String
    let refreshAt: WallTime

    var description: String { "bearer token" }
    var debugDescription: String { description }

    /// - Parameter life: How long it is good for. It is replaced ``CloudLimits/refreshBefore`` its
    ///   end, or in the middle of a life that is shorter than twice that.
    init?(_ text: String, life: Duration, now: WallTime) {
        // It becomes a header: no line break may end it.
        guard !text.isEmpty, text.utf8.count <= 16 << 10,
            text.utf8.allSatisfy({ $0 > 32 && $0 < 127 })
        else { return nil }
        self.text = text
        let use = life - min(CloudLimits.refreshBefore, life / 2)
        refreshAt = WallTime(
            milliseconds: now.milliseconds + Int64(clamping: use.wholeMilliseconds))
    }
}

/// The last token of each audience.
final class TokenCache: Sendable {
    private let tokens = Mutex<[String: BearerToken]>([:])

    func token(_ audience: String, now: WallTime) -> BearerToken? {
        guard let token = tokens.withLock({ $0[audience] }), now < token.refreshAt else {
            return nil
        }
        return token
    }

    /// A handful of audiences exist.
    func keep(_ token: BearerToken, for audience: String) {
        tokens.withLock { $0[audience] = token }
    }

    /// Forgets a token that was refused.
    func drop(_ token: BearerToken, of audience: String) {
        tokens.withLock { tokens in
            if tokens[audience]?.text == token.text { tokens[audience] = nil }
        }
    }
}
