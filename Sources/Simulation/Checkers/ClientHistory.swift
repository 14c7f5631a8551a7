/// What clients asked, when, and what they were told: the input of ``LinearizabilityChecker``.
///
/// The world writes it down as it goes. A write that has begun and never ends is in doubt, so a
/// client that crashes, or the end of the run, needs no care.
///
/// ```swift
/// let put = history.begin(.put(key: "k", value: eTag), by: "c1", at: now)
/// let read = history.begin(.read(key: "k", value: nil), by: "c2", at: now)
/// history.end(put, .ok, at: later)
/// history.end(read, seeing: .read(key: "k", value: eTag), at: later)
/// ```
package struct ClientHistory: Sendable, CustomStringConvertible {
    /// An operation that has begun.
    package struct Ticket: Hashable, Sendable {
        fileprivate let number: Int
    }

    /// In the order in which they were noted, which need not be that of time.
    package private(set) var operations: [ClientOperation]

    package init(_ operations: [ClientOperation] = []) { self.operations = operations }

    package mutating func append(_ operation: ClientOperation) { operations.append(operation) }

    /// - Parameter kind: What is asked; what a read or a page will see is told at its end.
    package mutating func begin(
        _ kind: ClientOperation.Kind, by client: String, at time: UInt64
    ) -> Ticket {
        operations.append(
            ClientOperation(client: client, kind, began: time, ended: nil, answer: .unknown))
        return Ticket(number: operations.count - 1)
    }

    /// Ends a write, or a read that failed.
    package mutating func end(
        _ ticket: Ticket, _ answer: ClientOperation.Answer, at time: UInt64
    ) {
        let begun = operations[ticket.number]
        precondition(begun.isWrite || answer != .ok, "a read that worked has seen something")
        finish(ticket, as: begun.kind, answer, at: time)
    }

    /// Ends a read or a page that worked. Also a write with an `If-Match` that was answered with
    /// 404, which has read nothing.
    package mutating func end(
        _ ticket: Ticket, seeing kind: ClientOperation.Kind, at time: UInt64
    ) {
        finish(ticket, as: kind, .ok, at: time)
    }

    private mutating func finish(
        _ ticket: Ticket, as kind: ClientOperation.Kind, _ answer: ClientOperation.Answer,
        at time: UInt64
    ) {
        let begun = operations[ticket.number]
        precondition(begun.ended == nil, "an operation ends once")
        operations[ticket.number] = ClientOperation(
            client: begun.client, kind, began: begun.began, ended: time, answer: answer)
    }

    /// How many of each kind and answer: whether a run has tried what it meant to.
    package var description: String {
        var counts: [String: Int] = [:]
        for operation in operations {
            let kind =
                switch operation.kind {
                case .put(_, _, .always): "put"
                case .put(_, _, .absent): "put if absent"
                case .put(_, _, .match): "put if match"
                case .delete: "delete"
                case .read: "read"
                case .list: "list"
                }
            counts["\(kind) \(operation.answer)", default: 0] += 1
        }
        return counts.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
            .joined(separator: ", ")
    }
}
