import Testing

@testable import Cloud

@Suite struct EndpointTests {
    @Test func `overrides come from the environment`() throws {
        let endpoints = try CloudEndpoints(environment: [
            "DST_AWS_EC2_ENDPOINT": "http://127.0.0.1:5000/", "GCE_METADATA_HOST": "h:8080",
            "DST_AZURE_ARM_ENDPOINT": "",
        ])
        #expect(endpoints.ec2("eu-west-1").description == "http://127.0.0.1:5000")
        #expect(endpoints.gcpMetadata.description == "http://h:8080")
        #expect(endpoints.azureManager.description == "https://management.azure.com")
        #expect(endpoints.awsMetadata.description == "http://169.254.169.254")
        #expect(
            endpoints.awsSecrets("cn-north-1").host == "secretsmanager.cn-north-1.amazonaws.com.cn")
    }

    @Test(arguments: [
        "127.0.0.1:5000", "http://", "http://a/b", "ftp://a", "http://a:0", "http://a b",
    ])
    func `what is no endpoint is refused`(text: String) {
        #expect(throws: CloudError.badEndpoint(name: "DST_AWS_EC2_ENDPOINT", value: text)) {
            try CloudEndpoints(environment: ["DST_AWS_EC2_ENDPOINT": text])
        }
    }
}
