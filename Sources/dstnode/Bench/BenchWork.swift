import Core
import NIOCore
import S3

/// What one lane sends: picks keys, signs, remembers what is stored. Confined to the lane's loop.
struct BenchWork {
    struct Request {
        let operation: BenchOperation
        /// Of the object in question; `nil` for a listing.
        let key: Int?
        let head: ByteBuffer
        let body: ByteBuffer?
    }

    /// Signed heads that are kept for reading the same objects again.
    static let signedMax = 20_000
    static let presignSeconds = 86_400

    let lane: Int
    private let host: String
    private let bucket: String
    private let signer: SigV4Signer
    private let clocks = SystemClocks()
    private var random: SeededRandom
    private var bodies: [Int: ByteBuffer] = [:]
    /// Objects that are stored, by size.
    private var stored: [Int: [Int]] = [:]
    /// Objects that the mix stored, which it alone deletes.
    private var ownByMix: [Int: [Int]] = [:]
    private var nextKey = 0
    private var signed: [String: ByteBuffer] = [:]

    init(lane: Int, host: String, bucket: String, signer: SigV4Signer, run: UInt64) {
        self.lane = lane
        self.host = host
        self.bucket = bucket
        self.signer = signer
        random = SeededRandom(seed: run &+ UInt64(lane))
        nextKey = lane << 40
    }

    func storedCount(ofSize bytes: Int) -> Int { stored[bytes]?.count ?? 0 }

    /// - Returns: `nil` where there is nothing left to do it with.
    mutating func next(_ phase: BenchPhase) -> Request? {
        let size = phase.objectBytes
        switch phase.operation {
        case .put: return put(size)
        case .get, .head: return read(phase.operation, size)
        case .list: return list()
        case .delete:
            guard let key = stored[size]?.popLast() else { return nil }
            return Request(
                operation: .delete, key: key, head: header("DELETE", size, key), body: nil)
        case .mix:
            // As MinIO's warp mixes: 45 GET, 30 HEAD, 15 PUT, 10 DELETE.
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<45: return read(.get, size)
            case 45..<75: return read(.head, size)
            case 75..<85:
                guard let key = ownByMix[size]?.popLast() else { return put(size) }
                return Request(
                    operation: .delete, key: key, head: header("DELETE", size, key), body: nil)
            default: return put(size)
            }
        }
    }

    /// The request was answered with success.
    mutating func finished(_ request: Request, in phase: BenchPhase) {
        guard request.operation == .put, let key = request.key else { return }
        if phase.operation == .mix {
            ownByMix[phase.objectBytes, default: []].append(key)
        } else {
            stored[phase.objectBytes, default: []].append(key)
        }
    }

    // MARK: Requests

    private mutating func put(_ size: Int) -> Request {
        let key = nextKey
        nextKey += 1
        return Request(
            operation: .put, key: key, head: header("PUT", size, key, length: size),
            body: size == 0 ? nil : body(size))
    }

    private mutating func read(_ operation: BenchOperation, _ size: Int) -> Request? {
        guard let key = stored[size]?.randomElement(using: &random) else { return nil }
        let method = operation == .get ? "GET" : "HEAD"
        let head = presigned(method, "/\(bucket)/\(name(size, key))", query: "")
        return Request(operation: operation, key: key, head: head, body: nil)
    }

    private mutating func list() -> Request? {
        let largest = stored.max { $0.value.count < $1.value.count }
        guard let size = largest?.key, let key = stored[size]?.randomElement(using: &random)
        else { return nil }
        let after = PercentCoding.encoded(name(size, key))
        let query = "list-type=2&max-keys=\(BenchOperation.listKeys)&start-after=\(after)"
        return Request(
            operation: .list, key: nil, head: presigned("GET", "/\(bucket)", query: query),
            body: nil)
    }

    private func name(_ size: Int, _ key: Int) -> String { "bench/\(size)/\(key)" }

    private mutating func header(
        _ method: String, _ size: Int, _ key: Int, length: Int = 0
    ) -> ByteBuffer {
        var head = S3RequestHead(
            method: method, path: "/\(bucket)/\(name(size, key))",
            headers: S3Headers([("host", host)]))
        signer.sign(&head, payload: PayloadMode.unsignedText, now: clocks.wall)
        head.headers.append("content-length", "\(length)")
        return encoded(head)
    }

    private mutating func presigned(_ method: String, _ path: String, query: String) -> ByteBuffer {
        let id = "\(method) \(path)?\(query)"
        if let known = signed[id] { return known }
        var head = S3RequestHead(
            method: method, path: path, query: query, headers: S3Headers([("host", host)]))
        signer.presign(&head, seconds: Self.presignSeconds, now: clocks.wall)
        let bytes = encoded(head)
        if signed.count >= Self.signedMax { signed.removeAll(keepingCapacity: true) }
        signed[id] = bytes
        return bytes
    }

    private func encoded(_ head: S3RequestHead) -> ByteBuffer {
        var text = "\(head.method) \(head.path)"
        if !head.query.isEmpty { text += "?\(head.query)" }
        text += " HTTP/1.1\r\n"
        for (name, value) in head.headers { text += "\(name): \(value)\r\n" }
        return ByteBuffer(string: text + "\r\n")
    }

    /// Random bytes, made once for each size: no layer can shrink them.
    private mutating func body(_ size: Int) -> ByteBuffer {
        if let known = bodies[size] { return known }
        var buffer = ByteBufferAllocator().buffer(capacity: size + 8)
        while buffer.readableBytes < size { buffer.writeInteger(random.next() as UInt64) }
        let body = buffer.getSlice(at: 0, length: size) ?? buffer
        bodies[size] = body
        return body
    }
}
