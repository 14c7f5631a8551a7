import Core

@testable import S3

let s3Targets = [
    FuzzTarget(name: "s3-auth", runCount: 10_000, seeds: S3Seeds.heads, run: feedAuth),
    FuzzTarget(name: "s3-sign", runCount: 5_000, seeds: S3Seeds.heads, run: feedSigner),
    FuzzTarget(name: "s3-chunked", runCount: 20_000, seeds: S3Seeds.bodies, run: feedChunked),
    FuzzTarget(name: "s3-xml", runCount: 50_000, seeds: S3Seeds.documents, run: feedXML),
    FuzzTarget(name: "s3-route", runCount: 20_000, seeds: S3Seeds.heads, run: feedRoute),
    FuzzTarget(name: "s3-values", runCount: 50_000, seeds: S3Seeds.values, run: feedValues),
]

private let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
/// 2013-05-24 00:00 UTC, of the examples in the API reference.
private let now = WallTime(milliseconds: 1_369_353_600_000)
private let keys = SigningKeyCache()

/// A request as text: method and target on one line each, then `name: value` lines.
private func head(_ input: [UInt8]) -> S3RequestHead {
    var script = Script(input)
    let (method, target) = (script.line(), script.line())
    var headers = S3Headers()
    for line in script.lines() {
        let mark = line.utf8.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
        let value = line[mark...].dropFirst()
        headers.append(line[..<mark].lowercased(), String(value.drop { $0 == " " }))
    }
    return S3RequestHead(method: method, target: target, headers: headers)
}

// MARK: Signatures

private func feedAuth(_ input: [UInt8]) {
    let head = head(input)
    guard let query = try? S3Query(head.query) else { return }
    checkCanonicalQuery(head, query)
    if let claim = try? SigV4Claim.parse(head, query: query) {
        _ = try? claim.verify(
            head, secret: secret, region: "us-east-1", now: now, keys: keys)
    }
    if let claim = SigV2Claim.parse(head, query: query) {
        _ = try? claim.verify(head, bucketOfHost: nil, secret: secret, now: now)
    }
}

/// A query means the same however its parameters are encoded and ordered.
private func checkCanonicalQuery(_ head: S3RequestHead, _ query: S3Query) {
    func canonical(_ query: String) -> [UInt8] {
        CanonicalRequest.bytes(
            of: S3RequestHead(method: "GET", path: "/", query: query, headers: S3Headers()),
            signedHeaders: [], payloadHash: "")
    }
    let pairs = query.parameters.reversed().map { parameter in
        PercentCoding.encoded(parameter.name) + "=" + PercentCoding.encoded(parameter.value)
    }
    check(
        canonical(head.query) == canonical(pairs.joined(separator: "&")),
        "another canonical query: \(head.query)")
}

/// What a client signs, the server takes, whatever path, query and headers it has.
private func feedSigner(_ input: [UInt8]) {
    var head = head(input)
    let reserved: Set<String> = [
        "authorization", "date", "host", "x-amz-date", "x-amz-content-sha256",
        "x-amz-security-token",
    ]
    var headers = S3Headers([("host", "example.com")])
    for field in head.headers where !reserved.contains(field.name) && isToken(field.name) {
        headers.append(field.name, field.value)
    }
    head.headers = headers
    guard let query = try? S3Query(head.query),
        !query.parameters.contains(where: { $0.name.hasPrefix("X-Amz-") })
    else { return }
    let signer = SigV4Signer(accessKey: "AK/1", secret: secret, region: "us-east-1")
    var signed = head
    signer.sign(&signed, payload: PayloadMode.unsignedText, now: now)
    var presigned = head
    presigned.query = pairsOnly(head.query)
    signer.presign(&presigned, seconds: 60, now: now)
    for head in [signed, presigned] {
        do throws(S3Error) {
            let query = try S3Query(head.query)
            guard let claim = try SigV4Claim.parse(head, query: query) else {
                preconditionFailure("a signature is not seen")
            }
            check(claim.accessKey == "AK/1", "another access key")
            _ = try claim.verify(
                head, secret: secret, region: "us-east-1", now: now, keys: keys)
        } catch {
            // Too many parameters with those of the signature.
            check(error.code == .invalidURI, "what was signed is refused: \(error)")
        }
    }
}

/// A query to which parameters can be added by `&`.
private func pairsOnly(_ query: String) -> String {
    query.utf8.allSatisfy { $0 == UInt8(ascii: "&") } ? "" : query
}

/// Names that HTTP lets through (RFC 9110 section 5.6.2), as far as the tests go.
private func isToken(_ name: String) -> Bool {
    !name.isEmpty
        && name.utf8.allSatisfy { byte in
            PercentCoding.isUnreserved(byte) && byte != UInt8(ascii: "~")
        }
}

// MARK: Bodies

private let scope = CredentialScope(date: "20130524", region: "us-east-1")
private let signing = ChunkSigning(
    key: SigningKey(secret: secret, scope: scope), timestamp: "20130524T000000Z", scope: scope,
    seed: String(repeating: "0", count: 64))

private func decoded(
    _ pieces: [ArraySlice<UInt8>], _ mode: PayloadMode, bytes: Int
) -> (payload: [UInt8], trailers: [String], error: S3ErrorCode?) {
    var decoder = BodyDecoder(payload: mode, signing: signing, bytes: bytes)
    var payload: [UInt8] = []
    do throws(S3Error) {
        for piece in pieces {
            let piece = Array(piece)
            var offset = 0
            while let range = try next(&decoder, piece, &offset) {
                check(!range.isEmpty && range.upperBound == offset, "\(range) up to \(offset)")
                payload += piece[range]
            }
            check(offset == piece.count, "not all of a piece was taken")
        }
        let trailers = try decoder.finish().map { "\($0.name):\($0.value)" }
        check(payload.count == bytes, "\(payload.count) bytes instead of \(bytes)")
        return (payload, trailers, nil)
    } catch {
        check(payload.count <= bytes, "more than was announced")
        return (payload, [], error.code)
    }
}

private func next(
    _ decoder: inout BodyDecoder, _ piece: [UInt8], _ offset: inout Int
) throws(S3Error) -> Range<Int>? {
    var result: Result<Range<Int>?, S3Error> = .success(nil)
    piece.withUnsafeBytes { raw in
        do throws(S3Error) {
            result = .success(try decoder.next(raw, at: &offset))
        } catch {
            result = .failure(error)
        }
    }
    return try result.get()
}

private func feedChunked(_ input: [UInt8]) {
    var script = Script(input)
    let shape = script.byte()
    let modes: [PayloadMode] = [
        .unsignedChunksWithTrailer, .signedChunks, .signedChunksWithTrailer, .unsigned,
    ]
    let mode = modes[Int(shape) % 4]
    let cutting = script.byte()
    var body: [UInt8]
    var count = Int(script.number(UInt16.self))
    var original: [UInt8]?
    if shape & 0x80 == 0 || !mode.isChunked {
        body = script.all()
    } else {
        // A body as a client writes it, of which the input changes one byte perhaps.
        let (place, change) = (Int(script.number(UInt16.self)), script.byte())
        var encoder = ChunkedBodyEncoder(mode: mode, signing: signing)
        body = []
        original = Array(script.rest)
        count = script.rest.count
        while !script.isEmpty { body += encoder.chunk(script.bytes(1 + count / 3)) }
        body += encoder.end(
            trailers: mode == .signedChunks ? [] : [("x-amz-checksum-crc32c", "AAAAAA==")])
        if place < body.count { body[place] ^= change }
        if place >= body.count || change == 0 {
            let intact = decoded([body[...]], mode, bytes: count)
            check(intact.error == nil && intact.payload == original, "an intact body is refused")
        }
    }
    let whole = decoded([body[...]], mode, bytes: count)
    let inPieces = decoded(cut(body, by: cutting | 1), mode, bytes: count)
    // Of a body without frames that is too long, the piece that goes too far is not taken.
    let isSame = whole == inPieces || !mode.isChunked && whole.error != nil
    check(isSame && whole.error == inPieces.error, "\(whole), in pieces \(inPieces)")
    if let original, whole.error == nil, mode != .unsignedChunksWithTrailer {
        check(whole.payload == original, "a signed body was changed and is taken")
    }
}

// MARK: Documents

private func feedXML(_ input: [UInt8]) {
    let requests: [([UInt8]) throws -> Void] = [
        { _ = try DeleteDocument($0) }, { _ = try CompleteDocument($0) },
        { _ = try CreateBucketDocument.locationConstraint($0) },
    ]
    for request in requests { try? request(input) }
    guard let root = try? XMLReader.read(input) else { return }
    var names: Set<String> = []
    var writer = XMLWriter()
    write(root, to: &writer, &names)
    check((try? XMLReader.read(writer.bytes)) == root, "a document became another")
    check((try? XMLReader.read(input, keeping: names)) == root, "keeping all drops some")
    let bare = try? XMLReader.read(input, keeping: [])
    check(bare?.children.isEmpty == true && bare?.text == root.text, "keeping none keeps some")
}

private func write(_ element: XMLElement, to writer: inout XMLWriter, _ names: inout Set<String>) {
    names.insert(element.name)
    // A name may be nothing but a prefix.
    let name = element.name.isEmpty ? "x:" : element.name
    writer.open(name)
    writer.text(element.text)
    for child in element.children { write(child, to: &writer, &names) }
    writer.close(name)
}

// MARK: Routing

private func feedRoute(_ input: [UInt8]) {
    let head = head(input)
    try? HeaderRules.check(head.headers)
    try? HeaderRules.checkSizes(head)
    if let source = head.headers["x-amz-copy-source"] { checkCopySource(source) }
    if let range = head.headers["x-amz-copy-source-range"] { _ = try? CopySource.range(range) }
    guard let query = try? S3Query(head.query) else { return }
    for name in ["max-keys", "max-uploads"] {
        guard let list = try? ListParameters(query, limitName: name) else { continue }
        check((0...S3Limits.pageMax).contains(list.limit), "a page of \(list.limit)")
        let shown = list.shown(list.prefix.utf8)
        let back = list.isURLEncoded ? PercentCoding.decode(shown) : shown
        check(back == Array(list.prefix.utf8), "a prefix became another")
    }
    for domain in ["", "s3.example.com"] {
        guard
            let target = try? S3Target(
                path: head.path, host: head.headers["host"], domain: domain)
        else { continue }
        checkTarget(target)
        let operation = S3Operation.of(head, target: target, query: query)
        check(!operation.name.isEmpty, "an operation has a name")
        check(target.key == nil || !operation.name.contains("Bucket"), "a key and \(operation)")
    }
}

/// Written out, it leads to the same object.
private func checkTarget(_ target: S3Target) {
    guard let bucket = target.bucket else { return }
    check(!bucket.isEmpty && target.key?.isEmpty != true, "an empty name")
    if let key = target.key {
        check((1...Limits.objectKeyBytesMax).contains(key.count), "a key of \(key.count) bytes")
    }
    let key = String(
        decoding: PercentCoding.encode(target.key ?? [], keepsSlash: true), as: UTF8.self)
    let path = "/\(PercentCoding.encoded(bucket))/\(key)"
    check((try? S3Target(path: path, host: nil, domain: "")) == target, "\(path) leads elsewhere")
    if BucketName.isValid(bucket) {
        let host = "\(bucket).s3.example.com:9000"
        let other = try? S3Target(path: "/\(key)", host: host, domain: "s3.example.com")
        check(other == target, "\(host)/\(key) leads elsewhere")
    }
}

private func checkCopySource(_ text: String) {
    guard let source = try? CopySource(text) else { return }
    let key = String(decoding: PercentCoding.encode(source.key), as: UTF8.self)
    let again = try? CopySource("/\(PercentCoding.encoded(source.bucket))/\(key)")
    check(again == source, "a copy's source became another")
}
