/// One request of a simulated client and what the client was told: a line of a ``ClientHistory``.
///
/// An object is known by the token of the write that made it: its ETag, if all writes have bytes of
/// their own, or anything else that no two writes share. Keys are told apart as Swift strings are.
package struct ClientOperation: Sendable, CustomStringConvertible {
    /// What must hold for a write to take effect.
    package enum Condition: Hashable, Sendable {
        case always
        /// `If-None-Match: *`
        case absent
        /// `If-Match` with the token of the write that must be found.
        case match(String)
    }

    package enum Kind: Sendable {
        case put(key: String, value: String, if: Condition = .always)
        case delete(key: String)
        /// GET or HEAD. `value` is what it saw, `nil` that there is no object. Also for an
        /// `If-Match` that was answered with 404: that is a read of nothing.
        case read(key: String, value: String?)
        case list(Page)
    }

    /// One page of a listing. It need not be a snapshot: it reads each key of its span, each at
    /// some time while it ran. What it shows outside its span is not judged.
    package struct Page: Sendable {
        /// The span is (`after`, `upto`] in the order of UTF-8 bytes; "" is before all keys.
        package let after: String
        /// `nil` on the last page: there are no further keys.
        package let upto: String?
        /// Token by key.
        package let seen: [String: String]

        package init(after: String = "", upto: String? = nil, seen: [String: String] = [:]) {
            self.after = after
            self.upto = upto
            self.seen = seen
        }

        package func covers(_ key: String) -> Bool {
            Self.isInOrder(after, key) && !(upto.map { Self.isInOrder($0, key) } ?? false)
        }

        /// Whether `first` is listed before `second`. Not `<`, which normalizes.
        static func isInOrder(_ first: String, _ second: String) -> Bool {
            first.utf8.lexicographicallyPrecedes(second.utf8)
        }
    }

    package enum Answer: String, Sendable {
        case ok
        /// The condition of a put did not hold; for an `If-Match` there was another object.
        case refused
        /// For certain without effect: turned away, or never sent.
        case failed
        /// Anything else, such as a timeout: it may take effect at any later time, or never.
        case unknown
    }

    package let client: String
    package let kind: Kind
    /// Simulated nanoseconds or a sequence number: whatever orders all operations of the history.
    package let began: UInt64
    /// When the client was answered or gave up; `nil` if it still waits. Invariant: not before
    /// `began`, and `nil` only where the answer is unknown.
    package let ended: UInt64?
    package let answer: Answer

    package init(
        client: String, _ kind: Kind, began: UInt64, ended: UInt64?, answer: Answer = .ok
    ) {
        precondition(ended ?? began >= began, "an operation ends after it began")
        precondition(ended != nil || answer == .unknown, "an answer has a time")
        if answer == .refused {
            guard case .put(_, _, let condition) = kind, condition != .always else {
                preconditionFailure("only a conditional put is refused")
            }
        }
        self.client = client
        self.kind = kind
        self.began = began
        self.ended = ended
        self.answer = answer
    }

    /// Whether it says or does anything about the key.
    package func touches(_ key: String) -> Bool {
        switch kind {
        case .put(let own, _, _), .delete(let own), .read(let own, _): own == key
        case .list(let page): page.covers(key)
        }
    }

    package var isWrite: Bool {
        switch kind {
        case .put, .delete: true
        case .read, .list: false
        }
    }
}

// As text, on one line.
extension ClientOperation {
    package var description: String { description(on: nil) }

    /// - Parameter key: If given, only what a page saw of this key is told.
    package func description(on key: String?) -> String {
        "[\(times)] \(client) \(what(on: key)): \(answer)"
    }

    private var times: String {
        "\(Self.grouped(began))…\(ended.map(Self.grouped) ?? "")"
    }

    private func what(on key: String?) -> String {
        switch kind {
        case .put(let key, let value, .always): "put \(key) = \(Self.short(value))"
        case .put(let key, let value, .absent): "put \(key) = \(Self.short(value)) if absent"
        case .put(let key, let value, .match(let old)):
            "put \(key) = \(Self.short(value)) if it is \(Self.short(old))"
        case .delete(let key): "delete \(key)"
        case .read(let key, _) where answer != .ok: "read \(key)"
        case .read(let key, let value): "read \(key) -> \(Self.short(value))"
        case .list(let page): Self.what(of: page, on: key, isTold: answer == .ok)
        }
    }

    private static func what(of page: Page, on key: String?, isTold: Bool) -> String {
        let start = page.after.isEmpty ? "" : " after \(page.after)"
        let end = page.upto.map { " up to \($0)" } ?? ""
        guard isTold else { return "list\(start)\(end)" }
        if let key { return "list\(start)\(end) -> \(key) is \(short(page.seen[key]))" }
        let shown = page.seen.sorted { Page.isInOrder($0.key, $1.key) }.prefix(4)
            .map { "\($0.key) = \(short($0.value))" }.joined(separator: ", ")
        let rest = page.seen.count > 4 ? ", …" : ""
        return "list\(start)\(end) -> \(page.seen.count) keys (\(shown)\(rest))"
    }

    /// A token as a reader can take it in.
    static func short(_ value: String?) -> String {
        guard let value else { return "nothing" }
        return value.count <= 16 ? value : value.prefix(12) + "…"
    }

    /// 1_234_567
    private static func grouped(_ number: UInt64) -> String {
        let digits = Array(String(number))
        var text = ""
        for (offset, digit) in digits.enumerated() {
            if offset > 0, (digits.count - offset) % 3 == 0 { text += "_" }
            text.append(digit)
        }
        return text
    }
}
