import Core
import Foundation

@testable import ObjectStore
@testable import S3

/// Values of single headers, parameters and tokens: a byte says which, the rest is its text.
func feedValues(_ input: [UInt8]) {
    var script = Script(input)
    let kind = script.byte()
    let bytes = Array(script.rest)
    switch kind % 9 {
    case 0:
        let size = Int(script.number(UInt32.self))
        checkRange(script.line(), size: kind & 0x80 == 0 ? size : size << 31)
    case 1: checkDates(script.line())
    case 2: checkBinaryText(bytes, script.line())
    case 3: checkPercentCoding(bytes)
    case 4: checkConditions(script.lines())
    case 5: checkProtection(script.lines())
    case 6: checkTokens(bytes, script.line())
    case 7: checkNames(bytes, script.line())
    default: checkOwner(bytes)
    }
}

/// Compared with RFC 9110 section 14.1.2, read once more.
private func checkRange(_ text: String, size: Int) {
    guard let range = RangeHeader(text) else { return }
    let resolved = try? range.resolve(size: size)
    let expected: Range<Int>? =
        switch range {
        case .from(let first): first < size ? first..<size : nil
        case .between(let first, let last):
            first < size ? first..<(last < size ? last + 1 : size) : nil
        case .last(let count): count > 0 && size > 0 ? max(0, size - count)..<size : nil
        }
    check(resolved == expected, "\(text) of \(size) bytes: \(String(describing: resolved))")
    if let resolved { _ = RangeHeader.contentRange(resolved, size: size) }
}

private func checkDates(_ text: String) {
    if let time = HTTPDate.parse(text) {
        check(HTTPDate.parse(HTTPDate.format(time)) == time, "\(text) became another time")
    }
    if let time = ISODate.parseBasic(text) {
        check(ISODate.formatBasic(time) == text || text.contains("60Z"), "\(text) differs")
        _ = ISODate.format(time)
    }
}

private func checkBinaryText(_ bytes: [UInt8], _ text: String) {
    let encoded = Base64.encode(bytes)
    check(encoded == Data(bytes).base64EncodedString(), "another Base64")
    check(Base64.decode(encoded) == bytes, "Base64 does not come back")
    if let decoded = Base64.decode(text) {
        check(Base64.encode(decoded) == text, "\(text) is not the only Base64 of its bytes")
    }
    check(Hex.decode(Hex.encode(bytes)) == bytes, "hex does not come back")
    if let decoded = Hex.decode(text) {
        check(Hex.encode(decoded) == text.lowercased(), "\(text) is other hex")
    }
    for algorithm in ChecksumAlgorithm.allCases {
        guard let value = ChecksumValue(algorithm: algorithm, text: text) else { continue }
        let again = ChecksumValue(algorithm: algorithm, text: value.text)
        check(again == value, "a checksum became another")
    }
}

private func checkPercentCoding(_ bytes: [UInt8]) {
    for keepsSlash in [true, false] {
        let encoded = PercentCoding.encode(bytes, keepsSlash: keepsSlash)
        check(PercentCoding.decode(encoded) == bytes, "percent codes do not come back")
        check(PercentCoding.decode(encoded, plusIsSpace: true) == bytes, "… of a query")
    }
    guard let text = String(validating: bytes, as: UTF8.self) else { return }
    if let theirs = text.removingPercentEncoding {
        check(PercentCoding.decode(bytes) == Array(theirs.utf8), "another rule for '\(text)'")
    }
}

private func headers(_ lines: [String]) -> S3Headers {
    S3Headers(
        lines.map { line in
            let mark = line.utf8.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
            return (String(line[..<mark]), String(line[mark...].dropFirst()))
        })
}

private func checkConditions(_ lines: [String]) {
    let headers = headers(lines)
    _ = ReadConditionHeaders(headers)
    _ = ReadConditionHeaders(copySourceOf: headers)
    guard let write = try? WriteConditionHeaders(headers) else { return }
    check(write.ifMatch == nil || !write.isCreateOnly, "both conditions")
}

private func checkProtection(_ lines: [String]) {
    let headers = headers(lines)
    guard let payload = try? PayloadMode(headers["x-amz-content-sha256"] ?? ""),
        let protection = try? BodyProtection(headers, payload: payload)
    else { return }
    check(protection.bytes >= 0, "fewer than no bytes")
    _ = try? protection.checksum(in: headers)
    _ = try? protection.checksum(in: S3Headers())
}

private func checkTokens(_ bytes: [UInt8], _ text: String) {
    if let key = try? ContinuationToken.decode(text) {
        let again = try? ContinuationToken.decode(ContinuationToken.encode(key))
        check(again == key, "a token became another")
    }
    if bytes.count <= Limits.objectKeyBytesMax {
        let again = try? ContinuationToken.decode(ContinuationToken.encode(bytes))
        check(again == bytes, "a key does not come back from its token")
    }
    if let upload = UploadID(hex: text) {
        check(UploadID(hex: upload.hex) == upload, "an upload became another")
    }
    if let token = JoinToken(text) {
        check(JoinToken(token.text) == token, "a join token became another")
    }
}

private func checkNames(_ bytes: [UInt8], _ text: String) {
    let isKey = (try? KeyRules.check(bytes)) != nil
    check(isKey == ((try? ObjectKey(bytes)) != nil), "two rules for keys")
    if BucketName.isValid(text) {
        check((3...63).contains(text.utf8.count) && text.lowercased() == text, "\(text)")
        check(PercentCoding.encoded(text) == text, "\(text) needs encoding")
    }
    let tag = ETag.withoutQuotes(text)
    check(ETag.withoutQuotes(ETag.quoted(tag)) == tag, "a tag became another")
}

private let ring = KeyRing(current: [UInt8](repeating: 3, count: 32))

/// A record that was sealed with the right key, whatever it holds.
private func checkOwner(_ plain: [UInt8]) {
    guard let key = ring.ownerKey(ring.current) else { return }
    let nonce = [UInt8](repeating: 1, count: BlockCipher.nonceBytes)
    let header = [OwnerRecord.version] + ring.current.bigEndianBytes + nonce
    var cipher = BlockCipher(key: key)
    let record = header + cipher.seal(plain, nonce: nonce, authenticating: header)
    check((try? OwnerRecord(opening: plain, by: ring)) == nil, "opened without a key")
    guard let owner = try? OwnerRecord(opening: record, by: ring) else { return }
    let again = try? OwnerRecord(
        opening: owner.sealed(by: ring, random: .system), by: ring)
    check(again == owner, "an owner record became another")
}
