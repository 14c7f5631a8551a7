import Core
import ObjectStore
import S3

/// An authenticated request on its way to its operation.
struct S3Request {
    let exchange: Exchange
    let target: S3Target
    let query: S3Query
    let proof: SigV4Proof

    var head: S3RequestHead { exchange.head }
    var headers: S3Headers { exchange.head.headers }

    func bucket() throws(S3Error) -> String {
        guard let bucket = target.bucket else { throw S3Error(.invalidBucketName) }
        return bucket
    }

    func address() throws -> ObjectAddress {
        guard let key = target.key else { throw S3Error(.invalidURI) }
        return ObjectAddress(bucket: try bucket(), key: try ObjectKey(key))
    }

    /// - Throws: `NoSuchUpload` for an id that no upload can have.
    func upload() throws -> UploadAddress {
        guard let upload = UploadID(hex: query["uploadId"] ?? "") else {
            throw S3Error(.noSuchUpload)
        }
        return UploadAddress(try address(), upload: upload)
    }

    func partNumber() throws(S3Error) -> Int {
        let text = query["partNumber"] ?? ""
        guard let number = Int(text), (1...Limits.partCountMax).contains(number) else {
            throw .invalidArgument(
                "partNumber", text,
                "Part number must be an integer between 1 and \(Limits.partCountMax), inclusive")
        }
        return number
    }

    /// - Parameter isSummed: See ``Exchange/collect(_:bytesMax:isSummed:tooLarge:)``.
    func document(isSummed: Bool = true) async throws -> [UInt8] {
        try await exchange.collect(proof, bytesMax: S3Limits.xmlBytesMax, isSummed: isSummed)
    }

    /// The only version of an object that was never versioned is `null`.
    func checkVersion() throws(S3Error) {
        guard let version = query["versionId"], version != "null" else { return }
        throw .invalidArgument("versionId", version, "Invalid version id specified")
    }

    func checkExpectedOwner(_ owner: String) throws(S3Error) {
        for name in ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"] {
            guard let expected = headers[name] else { continue }
            guard expected == owner else { throw S3Error(.accessDenied) }
        }
    }
}
