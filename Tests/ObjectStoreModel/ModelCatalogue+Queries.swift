import Core
import Foundation
import Messages
import ObjectStore

extension ModelCatalogue.State {
    mutating func answer(_ query: ProtoRangeQuery) -> ProtoRangeAnswer {
        queries += 1
        var answer = ProtoRangeAnswer()
        switch query.kind {
        case .getObject(let question):
            guard !fenced.contains(question.bucket) else {
                answer.failure = .noSuchBucket
                return answer
            }
            guard let object = objects[question.bucket]?[question.key] else {
                answer.failure = .noSuchKey
                return answer
            }
            answer.object.head = object.head
            if question.withBody { answer.object.body = object.body }
        case .listObjects(let question): answer.objects = list(question)
        case .getUpload(let question):
            guard let upload = uploads[question.upload], !upload.isCompleted else {
                answer.failure = .noSuchUpload
                return answer
            }
            answer.upload = upload.upload
        case .listParts(let question):
            guard let upload = uploads[question.upload],
                question.key.isEmpty == upload.isCompleted
            else {
                answer.failure = .noSuchUpload
                return answer
            }
            let all = upload.parts.values.filter { $0.number > question.afterNumber }
                .sorted { $0.number < $1.number }
            answer.parts.upload = upload.upload
            answer.parts.parts = Array(all.prefix(Int(question.limit)))
            answer.parts.isTruncated = all.count > Int(question.limit)
        case .readParts(let question):
            let all = (uploads[question.upload]?.parts.values.map { $0 } ?? [])
                .filter { $0.offset + $0.size > question.offset }.sorted { $0.number < $1.number }
            // Few at a time, so that tests see several pages.
            answer.parts.parts = Array(all.prefix(min(2, Int(question.limit))))
            answer.parts.isTruncated = all.count > 2
        case .listUploads(let question):
            let all = uploads.values.filter { !$0.isCompleted }.map(\.upload)
                .filter { $0.key.starts(with: question.prefix) }
                .filter { upload in
                    let key = upload.key
                    if question.afterKey.isEmpty { return true }
                    if question.afterUpload.isEmpty || key != question.afterKey {
                        return question.afterKey.lexicographicallyPrecedes(key)
                    }
                    return question.afterUpload.lexicographicallyPrecedes(upload.id)
                }
                .sorted {
                    $0.key == $1.key
                        ? $0.id.lexicographicallyPrecedes($1.id)
                        : $0.key.lexicographicallyPrecedes($1.key)
                }
            answer.uploads.uploads = Array(all.prefix(Int(question.limit)))
            answer.uploads.isTruncated = all.count > Int(question.limit)
            if let last = answer.uploads.uploads.last {
                answer.uploads.nextAfterKey = last.key
                answer.uploads.nextAfterUpload = last.id
            }
        default: answer.failure = .invalidCommand
        }
        return answer
    }

    private func list(_ question: ProtoListObjects) -> ProtoObjectList {
        var list = ProtoObjectList()
        let keys = (objects[question.bucket] ?? [:]).keys.sorted {
            $0.lexicographicallyPrecedes($1)
        }
        for key in keys where key.starts(with: question.prefix) {
            var entry = key
            var isCommon = false
            if !question.delimiter.isEmpty,
                let cut = key.dropFirst(question.prefix.count).range(of: question.delimiter)
            {
                entry = Data(key[..<cut.upperBound])
                isCommon = true
            }
            // A marker is a key, or a common prefix that is passed over as a whole.
            guard question.after.isEmpty || question.after.lexicographicallyPrecedes(entry)
            else { continue }
            if list.commonPrefixes.last == entry { continue }
            if list.objects.count + list.commonPrefixes.count >= Int(question.limit) {
                list.isTruncated = true
                break
            }
            list.nextAfter = entry
            if isCommon {
                list.commonPrefixes.append(entry)
            } else if let object = objects[question.bucket]?[key] {
                list.objects.append(
                    .with {
                        $0.key = key
                        $0.size = object.head.size
                        $0.etag = object.head.etag
                        $0.modifiedMs = object.head.modifiedMs
                    })
            }
        }
        if !list.isTruncated { list.nextAfter = Data() }
        return list
    }
}
