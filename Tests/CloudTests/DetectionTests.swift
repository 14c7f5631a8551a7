import Core
import Foundation
import Testing

@testable import Cloud

@Suite struct DetectionTests {
    private static let azureDocument =
        #"{"compute":{"subscriptionId":"s","resourceGroupName":"g","name":"v","location":"l"}}"#

    private func detected(
        aws: CloudReply? = nil, gcp: CloudReply? = nil, azure: CloudReply? = nil
    ) async -> Result<Cloud, CloudError> {
        let world = CloudWorld { request, _ in
            let reply: CloudReply? =
                switch request.target {
                case "/latest/api/token": aws
                case "/computeMetadata/v1/project/project-id": gcp
                default: azure
                }
            return reply.map { .success($0) } ?? .failure(.late("x"))
        }
        do throws(CloudError) {
            return .success(try await CloudClients(shell: world.shell).detect())
        } catch {
            return .failure(error)
        }
    }

    @Test func `each cloud answers in its own way`() async {
        let google = CloudReply.text("p", status: 200, ["metadata-flavor": "Google"])
        #expect(await detected(aws: .text("AQAEAFAKE==")) == .success(.aws))
        #expect(await detected(gcp: google) == .success(.gcp))
        #expect(await detected(azure: .text(Self.azureDocument)) == .success(.azure))
        #expect(
            await detected(aws: .text("AQAEAFAKE=="), gcp: google)
                == .failure(.ambiguous([.aws, .gcp])))
        #expect(await detected() == .failure(.noCloud))
    }

    @Test func `strangers are no cloud`() async {
        let page = CloudReply.text("<html><body>welcome to this network</body></html>")
        #expect(await detected(aws: page, gcp: page, azure: page) == .failure(.noCloud))
        let refusal = CloudReply.text("no", status: 404)
        #expect(await detected(aws: refusal, gcp: refusal, azure: refusal) == .failure(.noCloud))
    }
}
