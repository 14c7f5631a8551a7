import Foundation

/// Reads replies in JSON.
enum JSONReply {
    /// - Throws: ``CloudError/malformed(_:what:)``, which names the field and never its value.
    static func decode<Value: Decodable>(
        _ type: Value.Type, _ reply: CloudReply, from host: String
    ) throws(CloudError) -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(reply.body))
        } catch DecodingError.keyNotFound(let key, _) {
            throw .malformed(host, what: "no \(Words.short(key.stringValue))")
        } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(
            _, let context)
        {
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            throw .malformed(host, what: "another type at \(Words.short(path))")
        } catch {
            throw .malformed(host, what: "no JSON")
        }
    }

    /// A time as in `2026-11-26T12:00:00Z`, with or without fractions of a second.
    static func seconds(_ text: String) -> Int64? {
        let fractional = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        let date =
            (try? Date(text, strategy: .iso8601)) ?? (try? Date(text, strategy: fractional))
        return date.map { Int64($0.timeIntervalSince1970) }
    }
}
