/// A secret that can't slip into a log, an error or a test's output: every way of printing it says
/// `<redacted>`. The only way to the value is to write `.value`.
package struct Redacted<Value: Sendable & Equatable>: Sendable, Equatable, CustomStringConvertible,
    CustomDebugStringConvertible, CustomReflectable
{
    package let value: Value

    package init(_ value: Value) { self.value = value }

    package var description: String { "<redacted>" }
    package var debugDescription: String { "<redacted>" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
