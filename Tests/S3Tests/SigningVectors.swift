import Core
import S3

/// The example of the Amazon S3 API Reference, "Signature Calculations for the Authorization
/// Header" and its neighbours.
enum Example {
    static let accessKey = "AKIAIOSFODNN7EXAMPLE"
    static let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    static let region = "us-east-1"
    static let now = HTTPDate.parse("Fri, 24 May 2013 00:00:00 GMT")!
    static let emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    static let signer = SigV4Signer(accessKey: accessKey, secret: secret, region: region)

    static func head(
        _ method: String, _ target: String, host: String = "examplebucket.s3.amazonaws.com",
        _ headers: [(String, String)] = []
    ) -> S3RequestHead {
        S3RequestHead(
            method: method, target: target, headers: S3Headers([("Host", host)] + headers))
    }

    static func verify(
        _ head: S3RequestHead, secret: String = secret, region: String = region,
        now: WallTime = now
    ) throws -> SigV4Proof {
        let claim = try SigV4Claim.parse(head, query: S3Query(head.query))
        guard let claim else { throw S3Error(.accessDenied) }
        return try claim.verify(
            head, secret: secret, region: region, now: now, keys: SigningKeyCache())
    }

    static func later(_ seconds: Int64) -> WallTime {
        WallTime(milliseconds: now.milliseconds + seconds * 1000)
    }
}

/// What a call throws, as its code.
func code(_ body: () throws -> Void) -> S3ErrorCode? {
    do {
        try body()
        return nil
    } catch {
        return (error as? S3Error)?.code
    }
}
