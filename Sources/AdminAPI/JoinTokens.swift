/// A join token without its secret.
package struct JoinTokenReport: Codable, Sendable, Equatable {
    /// 16 hex digits; they stand in the token, too.
    package var id: String
    /// `storage` or `gateway`.
    package var role: String
    package var label: String
    /// Milliseconds since 1970, UTC.
    package var createdMilliseconds: Int64
    package var expiresMilliseconds: Int64
    /// `valid`, `expired` or `revoked`.
    package var state: String

    package init(
        id: String, role: String, label: String, createdMilliseconds: Int64,
        expiresMilliseconds: Int64, state: String
    ) {
        self.id = id
        self.role = role
        self.label = label
        self.createdMilliseconds = createdMilliseconds
        self.expiresMilliseconds = expiresMilliseconds
        self.state = state
    }
}

package struct JoinTokenList: Codable, Sendable, Equatable {
    package var tokens: [JoinTokenReport]

    package init(tokens: [JoinTokenReport]) { self.tokens = tokens }
}

/// What to make a join token of.
package struct NewJoinToken: Codable, Sendable, Equatable {
    /// `storage` or `gateway`.
    package var role: String
    package var expiresSeconds: Int
    /// For people: 0 to 64 characters.
    package var label: String

    package init(role: String, expiresSeconds: Int, label: String) {
        self.role = role
        self.expiresSeconds = expiresSeconds
        self.label = label
    }
}

/// A token that was just made: the only time it is shown.
package struct CreatedJoinToken: Codable, Sendable, Equatable {
    package var id: String
    /// For `JOIN_TOKEN`.
    package var token: String
    package var expiresMilliseconds: Int64

    package init(id: String, token: String, expiresMilliseconds: Int64) {
        self.id = id
        self.token = token
        self.expiresMilliseconds = expiresMilliseconds
    }
}
