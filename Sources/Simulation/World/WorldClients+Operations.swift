import Core
import Foundation
import NIOCore
import ObjectStore

extension WorldClients {
    private func address(_ key: String) throws(ObjectStoreError) -> ObjectAddress {
        ObjectAddress(bucket: Self.bucket, key: try ObjectKey(key.utf8))
    }

    /// Bytes that no other write has; they begin with the value's name.
    ///
    /// - Parameter isUpload: Its ETag is that of an upload of one part.
    private func newValue(isUpload: Bool = false) -> (name: String, body: [UInt8]) {
        nextValue += 1
        let name = "value-\(nextValue)"
        let size = settings.sizes.randomElement(using: &time.random) ?? 40
        let body = Self.body(name, size)
        let etag = Self.md5(body)
        written[isUpload ? Hex.encode(Self.md5(etag)) + "-1" : Hex.encode(etag)] = name
        return (name, body)
    }

    private static func md5(_ bytes: [UInt8]) -> [UInt8] {
        var digest = Digest(.md5)
        digest.update(bytes)
        return Array(digest.finish())
    }

    private static func body(_ name: String, _ size: Int) -> [UInt8] {
        var body = Array("\(name) \(size) ".utf8)
        let seed = name.utf8.reduce(UInt64(size)) { $0 &* 31 &+ UInt64($1) }
        var random = SeededRandom(seed: seed)
        while body.count < size {
            withUnsafeBytes(of: random.next()) { body.append(contentsOf: $0) }
        }
        body.removeLast(max(0, body.count - max(size, name.utf8.count + 8)))
        return body
    }

    func put(
        _ key: String, if condition: ClientOperation.Condition = .always, match: String? = nil,
        by client: String, _ gateway: ObjectService
    ) async {
        let (name, body) = newValue()
        let ticket = history.begin(
            .put(key: key, value: name, if: condition), by: client, at: now())
        do {
            var request = PutRequest(try address(key), length: body.count)
            request.conditions = WriteConditions(
                ifMatch: match, ifNoneMatchAny: condition == .absent)
            _ = try await gateway.put(request, body: BufferSource(ByteBuffer(bytes: body)))
            history.end(ticket, .ok, at: now())
        } catch {
            end(ticket, key, condition, error)
        }
    }

    /// A write that did not work, by what was said of it.
    private func end(
        _ ticket: ClientHistory.Ticket, _ key: String, _ condition: ClientOperation.Condition,
        _ error: any Error
    ) {
        switch error {
        case ObjectStoreError.preconditionFailed where condition == .always:
            problems.append("\(key): a write without a condition was refused for one")
        case ObjectStoreError.preconditionFailed: history.end(ticket, .refused, at: now())
        case ObjectStoreError.noSuchKey where condition != .always:
            history.end(ticket, seeing: .read(key: key, value: nil), at: now())
        // For certain without effect.
        case ObjectStoreError.slowDown: history.end(ticket, .failed, at: now())
        default: history.end(ticket, .unknown, at: now())
        }
    }

    /// A multipart upload of one part; some are given up, as clients that die do.
    func upload(_ key: String, by client: String, _ gateway: ObjectService) async {
        let (name, body) = newValue(isUpload: true)
        var ticket: ClientHistory.Ticket?
        do {
            let address = try address(key)
            let created = try await gateway.createUpload(
                CreateUploadRequest(address, owner: "simulation"))
            let upload = UploadAddress(address, upload: created.upload)
            let part = try await gateway.putPart(
                PutPartRequest(upload, number: 1, length: body.count),
                body: BufferSource(ByteBuffer(bytes: body)))
            switch Int.random(in: 0..<8, using: &time.random) {
            case 0: try await gateway.abortUpload(upload)
            case 1: return
            default:
                ticket = history.begin(.put(key: key, value: name), by: client, at: now())
                _ = try await gateway.completeUpload(
                    CompleteUploadRequest(
                        upload, parts: [.init(number: 1, etag: part.etag)]))
                if let ticket { history.end(ticket, .ok, at: now()) }
            }
        } catch {
            if let ticket { end(ticket, key, .always, error) }
        }
    }

    func compareAndSet(_ key: String, by client: String, _ gateway: ObjectService) async {
        guard let (name, etag) = await read(key, by: client, gateway) else { return }
        await put(key, if: .match(name), match: etag, by: client, gateway)
    }

    func delete(_ key: String, by client: String, _ gateway: ObjectService) async {
        let ticket = history.begin(.delete(key: key), by: client, at: now())
        do {
            try await gateway.delete(try address(key))
            history.end(ticket, .ok, at: now())
        } catch {
            end(ticket, key, .always, error)
        }
    }

    /// - Returns: What was there.
    func read(
        _ key: String, by client: String, _ gateway: ObjectService
    ) async -> (name: String, etag: String)? {
        let ticket = history.begin(.read(key: key, value: nil), by: client, at: now())
        do {
            let found = try await gateway.get(GetRequest(try address(key)))
            var bytes: [UInt8] = []
            for try await piece in found.body { bytes.append(contentsOf: piece.readableBytesView) }
            let name = written[found.info.etag] ?? "unknown \(found.info.etag)"
            if bytes != Self.body(name, Self.size(bytes)) {
                problems.append("\(key): the bytes of \(name) are others than were written")
            }
            history.end(ticket, seeing: .read(key: key, value: name), at: now())
            return (name, found.info.etag)
        } catch ObjectStoreError.noSuchKey {
            history.end(ticket, seeing: .read(key: key, value: nil), at: now())
        } catch ObjectStoreError.damaged(let text) {
            problems.append("\(key): damaged: \(text)")
            history.end(ticket, .failed, at: now())
        } catch {
            if isLastReading { lastFailure = "\(key) can't be read: \(error)" }
            if demandsReads {
                problems.append("\(key) can't be read, though copies enough are there: \(error)")
            }
            history.end(ticket, .failed, at: now())
        }
        return nil
    }

    /// The size that a body says of itself.
    private static func size(_ body: [UInt8]) -> Int {
        let words = body.prefix(40).split(separator: UInt8(ascii: " "))
        guard words.count > 1 else { return 0 }
        return Int(String(decoding: words[1], as: UTF8.self)) ?? 0
    }

    /// All keys, in pages of a size that is drawn.
    func list(by client: String, _ gateway: ObjectService) async {
        let limit = [2, 3, 1_000].randomElement(using: &time.random) ?? 1_000
        var after = ""
        // Each page may hold fewer keys than were asked for, but not none.
        for _ in 0...settings.keys {
            guard let next = await page(after: after, limit: limit, by: client, gateway) else {
                return
            }
            after = next
        }
        problems.append("a listing in pages of \(limit) does not end")
    }

    /// - Returns: Where the next page begins; `nil` where there is none.
    private func page(
        after: String, limit: Int, by client: String, _ gateway: ObjectService
    ) async -> String? {
        let ticket = history.begin(
            .list(ClientOperation.Page(after: after)), by: client, at: now())
        do {
            var request = ListRequest(bucket: Self.bucket)
            request.limit = limit
            if !after.isEmpty { request.start = .after(Array(after.utf8)) }
            let page = try await gateway.list(request)
            var seen: [String: String] = [:]
            for object in page.objects {
                seen["\(object.key)"] = written[object.etag] ?? "unknown \(object.etag)"
            }
            let next = page.isTruncated ? String(decoding: page.nextMarker, as: UTF8.self) : nil
            let told = ClientOperation.Page(after: after, upto: next, seen: seen)
            history.end(ticket, seeing: .list(told), at: now())
            return next
        } catch {
            history.end(ticket, .failed, at: now())
            return nil
        }
    }
}
