import SwiftProtobuf

/// Decodes what a store wrote itself: anything else there is damage.
func decode<Value: Message>(_ type: Value.Type, _ bytes: [UInt8]) throws(SQLiteError) -> Value {
    guard let value = try? Value(serializedBytes: bytes) else {
        throw SQLiteError.damage("a stored \(type) cannot be decoded")
    }
    return value
}
