import Testing

@testable import Cloud

@Suite struct SecretReferenceTests {
    @Test func `the three forms are read`() throws {
        let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:dst/cluster-AbCdEf"
        #expect(try SecretReference("aws:" + arn) == .aws(arn: arn, region: "eu-west-1"))
        #expect(
            try SecretReference("gcp:projects/p-1/secrets/s_1/versions/latest")
                == .gcp(name: "projects/p-1/secrets/s_1/versions/latest"))
        #expect(
            try SecretReference("azure:https://V-1.vault.azure.net/secrets/n-1/")
                == .azure(vault: "v-1.vault.azure.net", path: "/secrets/n-1"))
    }

    @Test(arguments: [
        ("", "there is no ''"), ("awz:arn", "there is no 'awz'"), ("aws:arn:aws:s3:::x", "aws:arn"),
        ("aws:arn:aws:secretsmanager:a/b:1:secret:n", "aws:arn"),
        ("gcp:projects/p/secrets/s", "gcp:projects"),
        ("gcp:projects/p/secrets/../versions/1", "gcp:projects"),
        ("gcp:projects/p/secrets/a?b/versions/1", "gcp:projects"),
        ("azure:http://v.vault.azure.net/secrets/n", "azure:https"),
        ("azure:https://evil.example/secrets/n", "azure:https"),
        ("azure:https://v.vault.azure.net.evil.example/secrets/n", "azure:https"),
        ("azure:https://v.vault.azure.net:8443/secrets/n", "azure:https"),
        ("azure:https://v.vault.azure.net/keys/n", "azure:https"),
        ("azure:https://x@v.vault.azure.net/secrets/n", "azure:https"),
    ]) func `others are refused with the form to write`(text: String, advice: String) {
        #expect {
            try SecretReference(text)
        } throws: { error in
            "\(error)".contains(advice)
        }
    }
}
