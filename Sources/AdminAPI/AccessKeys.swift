/// An access key without its secret.
package struct AccessKeyReport: Codable, Sendable, Equatable {
    package var id: String
    package var label: String
    package var isEnabled: Bool
    /// Milliseconds since 1970, UTC.
    package var createdMilliseconds: Int64

    package init(id: String, label: String, isEnabled: Bool, createdMilliseconds: Int64) {
        self.id = id
        self.label = label
        self.isEnabled = isEnabled
        self.createdMilliseconds = createdMilliseconds
    }
}

package struct AccessKeyList: Codable, Sendable, Equatable {
    package var keys: [AccessKeyReport]

    package init(keys: [AccessKeyReport]) { self.keys = keys }
}

/// What to make a key of.
package struct NewAccessKey: Codable, Sendable, Equatable {
    /// For people: 0 to 64 characters.
    package var label: String

    package init(label: String) { self.label = label }
}

/// A key that was just made: the only time its secret is shown.
package struct CreatedAccessKey: Codable, Sendable, Equatable {
    package var id: String
    package var secret: String

    package init(id: String, secret: String) {
        self.id = id
        self.secret = secret
    }
}
