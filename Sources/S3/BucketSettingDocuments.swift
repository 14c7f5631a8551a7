/// What S3 itself answers for a bucket whose settings nobody has touched.
extension BucketSetting {
    /// The document, or the error that says there is none.
    ///
    /// - Parameters:
    ///   - region: Of this server.
    ///   - owner: The bucket's.
    package func document(region: String, owner: String) throws(S3Error) -> [UInt8] {
        var xml = XMLWriter()
        switch self {
        case .location:
            xml.openRoot("LocationConstraint")
            // The first region has no name here, for history's sake.
            if region != "us-east-1" { return Self.location(region) }
            xml.close("LocationConstraint")
        case .versioning: Self.empty("VersioningConfiguration", &xml)
        case .logging: Self.empty("BucketLoggingStatus", &xml)
        case .notification: Self.empty("NotificationConfiguration", &xml)
        case .accelerate: Self.empty("AccelerateConfiguration", &xml)
        case .acl: AccessControlDocument.write(owner: owner, to: &xml)
        case .requestPayment:
            xml.openRoot("RequestPaymentConfiguration")
            xml.element("Payer", "BucketOwner")
            xml.close("RequestPaymentConfiguration")
        case .encryption: Self.encryption(&xml)
        case .ownershipControls: Self.ownership(&xml)
        case .publicAccessBlock: Self.publicAccess(&xml)
        case .policy, .policyStatus: throw S3Error(.noSuchBucketPolicy)
        case .cors: throw S3Error(.noSuchCORSConfiguration)
        case .lifecycle: throw S3Error(.noSuchLifecycleConfiguration)
        case .tagging: throw S3Error(.noSuchTagSet)
        case .website: throw S3Error(.noSuchWebsiteConfiguration)
        case .replication: throw S3Error(.replicationConfigurationNotFound)
        case .objectLock: throw S3Error(.objectLockConfigurationNotFound)
        }
        return xml.bytes
    }

    private static func empty(_ name: String, _ xml: inout XMLWriter) {
        xml.openRoot(name)
        xml.close(name)
    }

    private static func location(_ region: String) -> [UInt8] {
        var xml = XMLWriter()
        xml.openRoot("LocationConstraint")
        xml.text(region)
        xml.close("LocationConstraint")
        return xml.bytes
    }

    /// True of this server: every object is sealed with AES-256-GCM.
    private static func encryption(_ xml: inout XMLWriter) {
        xml.openRoot("ServerSideEncryptionConfiguration")
        xml.open("Rule")
        xml.open("ApplyServerSideEncryptionByDefault")
        xml.element("SSEAlgorithm", "AES256")
        xml.close("ApplyServerSideEncryptionByDefault")
        xml.element("BucketKeyEnabled", false)
        xml.close("Rule")
        xml.close("ServerSideEncryptionConfiguration")
    }

    private static func ownership(_ xml: inout XMLWriter) {
        xml.openRoot("OwnershipControls")
        xml.open("Rule")
        xml.element("ObjectOwnership", "BucketOwnerEnforced")
        xml.close("Rule")
        xml.close("OwnershipControls")
    }

    private static func publicAccess(_ xml: inout XMLWriter) {
        xml.openRoot("PublicAccessBlockConfiguration")
        for name in [
            "BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets",
        ] {
            xml.element(name, true)
        }
        xml.close("PublicAccessBlockConfiguration")
    }
}

/// The only access control there is: the owner may do everything.
package enum AccessControlDocument {
    package static func write(owner: String, to xml: inout XMLWriter) {
        xml.openRoot("AccessControlPolicy")
        xml.owner(owner)
        xml.open("AccessControlList")
        xml.open("Grant")
        xml.open(
            "Grantee",
            attributes: " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\""
                + " xsi:type=\"CanonicalUser\"")
        xml.element("ID", owner)
        xml.element("DisplayName", owner)
        xml.close("Grantee")
        xml.element("Permission", "FULL_CONTROL")
        xml.close("Grant")
        xml.close("AccessControlList")
        xml.close("AccessControlPolicy")
    }
}

extension XMLWriter {
    /// - Parameter element: `Owner` or `Initiator`.
    package mutating func owner(_ id: String, element: String = "Owner") {
        open(element)
        self.element("ID", id)
        self.element("DisplayName", id)
        close(element)
    }
}
