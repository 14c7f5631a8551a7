/// Where the admin API lives, on every gateway. All requests are signed (SigV4, service `s3`) with
/// the root key; anything else is refused.
///
/// | request | body | answer |
/// |---|---|---|
/// | `GET /-/admin/v1/status` | – | ``ClusterReport`` |
/// | `GET /-/admin/v1/keys` | – | ``AccessKeyList`` |
/// | `POST /-/admin/v1/keys` | ``NewAccessKey`` | ``CreatedAccessKey``, the secret this once |
/// | `POST /-/admin/v1/keys/{id}/enable`, `…/disable` | – | 204 |
/// | `DELETE /-/admin/v1/keys/{id}` | – | 204 |
/// | `POST /-/admin/v1/nodes/{label or UUID}/drain`, `…/undrain` | – | 204 |
/// | `POST /-/admin/v1/nodes/{label or UUID}/remove`, `…/remove?force` | – | 204: for ever |
/// | `GET /-/admin/v1/tokens` | – | ``JoinTokenList`` |
/// | `POST /-/admin/v1/tokens` | ``NewJoinToken`` | ``CreatedJoinToken``, the token this once |
/// | `DELETE /-/admin/v1/tokens/{id}` | – | 204: revoked, and still listed |
///
/// Bodies are JSON. An error is S3's XML with S3's status, as everywhere on the port.
package enum AdminPaths {
    package static let root = "/-/admin/v1"
    package static let status = root + "/status"
    package static let keys = root + "/keys"
    package static let tokens = root + "/tokens"
    package static let nodes = root + "/nodes"

    package static func key(_ id: String) -> String { keys + "/" + id }
    package static func node(_ name: String) -> String { nodes + "/" + name }
    package static func token(_ id: String) -> String { tokens + "/" + id }
    package static func enable(_ id: String) -> String { key(id) + "/enable" }
    package static func disable(_ id: String) -> String { key(id) + "/disable" }
}
