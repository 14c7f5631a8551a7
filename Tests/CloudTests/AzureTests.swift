import Core
import Testing

@testable import Cloud

private let identity = CloudIdentity(
    cloud: .azure, instanceID: "/x", instanceName: "vm-1", region: "westeurope",
    zone: "westeurope-1", address: nil, account: "s-1", resourceGroup: "g 1")

private func world(
    _ manager: @escaping @Sendable (CloudRequest, Int) -> CloudReply
) -> CloudWorld {
    CloudWorld { request, index in
        if request.target.hasPrefix("/metadata/instance?") {
            return .success(
                .text(
                    #"{"compute":{"subscriptionId":"s-1","resourceGroupName":"g 1","name":"vm-1","#
                        + #""location":"westeurope","zone":"2"},"network":{"interface":[]}}"#))
        }
        if request.target.hasPrefix("/metadata/identity/") {
            return .success(
                .text(#"{"access_token":"t\#(index)","expires_on":"1700003600"}"#))
        }
        return .success(manager(request, index))
    }
}

@Suite struct AzureTests {
    private let endpoint = CloudEndpoint(isSecure: true, host: "management.azure.com")

    @Test func `lists are of one resource group`() {
        #expect(
            AzureMachines.machines(endpoint, identity).target
                == "/subscriptions/s-1/resourceGroups/g%201/providers/Microsoft.Compute"
                + "/virtualMachines?api-version=2024-07-01")
        #expect(
            AzureMachines.interfaces(endpoint, identity).target
                == "/subscriptions/s-1/resourceGroups/g%201/providers/Microsoft.Network"
                + "/networkInterfaces?api-version=2024-05-01")
    }

    @Test func `tokens name the audience and the identity`() {
        let request = AzureMetadata.token(
            CloudEndpoints().azureMetadata, audience: AzureMetadata.manager, clientID: "c 1")
        #expect(
            request.target
                == "/metadata/identity/oauth2/token?api-version=2018-02-01"
                + "&resource=https%3A%2F%2Fmanagement.azure.com%2F&client_id=c%201")
        #expect(request[header: "metadata"] == "true")
    }

    @Test(arguments: [
        "https://evil.example/x", "http://management.azure.com/x",
        "https://management.azure.com:444/x", "https://management.azure.com.evil.example/x",
        "https://user@management.azure.com/x", "https://management.azure.com@evil.example/x",
        "//management.azure.com/x", "ftp://management.azure.com/x",
    ]) func `the token goes to no other host`(link: String) {
        let first = AzureMachines.machines(endpoint, identity)
        #expect(throws: CloudError.self) { try AzureMachines.next(link, of: first) }
    }

    @Test func `the next page is asked of the same host`() throws {
        let first = AzureMachines.machines(endpoint, identity)
        let next = try AzureMachines.next("https://Management.azure.com:443/y?z=1", of: first)
        #expect(next?.target == "/y?z=1" && next?.endpoint == endpoint)
        #expect(try AzureMachines.next(nil, of: first) == nil)
        #expect(try AzureMachines.next("", of: first) == nil)
    }

    @Test func `machines and addresses are joined without case`() async throws {
        let world = world { request, _ in
            if request.target.contains("virtualMachines") {
                return .text(
                    """
                    {"value":[{"id":"/S/VM-1","name":"vm-1","location":"westeurope","zones":["1"],
                    "tags":{"dst-cluster":"c","dst-role":"storage","x":"y"},
                    "properties":{"provisioningState":"Succeeded"}},
                    {"id":"/s/vm-2","name":"vm-2","tags":{"dst-cluster":"other"}},
                    {"id":"/s/vm-3","name":"vm-3","tags":{"dst-cluster":"c"},
                    "properties":{"provisioningState":"Deleting"}}]}
                    """)
            }
            return .text(
                """
                {"value":[{"properties":{"virtualMachine":{"id":"/s/vm-1"},"primary":true,
                "ipConfigurations":[{"properties":{"primary":false,"privateIPAddress":"10.0.0.2"}},
                {"properties":{"primary":true,"privateIPAddress":"10.0.0.1"}}]}},
                {"properties":{}}]}
                """)
        }
        let list = try await AzureClient(shell: world.shell, clientID: nil).instances(
            cluster: "c", world.shell.round())
        #expect(
            list.instances == [
                CloudInstance(
                    id: "/S/VM-1", name: "vm-1", state: .running,
                    addresses: ["10.0.0.1", "10.0.0.2"], zone: "westeurope-1",
                    tags: ["dst-cluster": "c", "dst-role": "storage"]),
                CloudInstance(
                    id: "/s/vm-3", name: "vm-3", state: .gone("deleting"), addresses: [],
                    zone: nil, tags: ["dst-cluster": "c"]),
            ])
        #expect(list.callCount == 2)
    }

    @Test func `a missing permission is named`() async {
        let world = world { request, _ in
            request.target.contains("networkInterfaces")
                ? .text(#"{"error":{"code":"AuthorizationFailed","message":"m"}}"#, status: 403)
                : .text(#"{"value":[]}"#)
        }
        let failure = await error {
            _ = try await AzureClient(shell: world.shell, clientID: nil).instances(
                cluster: "c", world.shell.round())
        }
        #expect(
            failure
                == .denied(
                    permission: "Microsoft.Network/networkInterfaces/read",
                    detail: "AuthorizationFailed: m"))
        #expect("\(failure!)".contains("lacks Microsoft.Network/networkInterfaces/read; grant it"))
    }

    @Test func `a round goes on where the last one failed`() async throws {
        let world = world { request, index in
            // 0 identity, 1 token, 2 machines, 3 interfaces, 4 identity, 5 interfaces, …
            request.target.contains("networkInterfaces") && index == 3
                ? .text("", status: 503) : .text(#"{"value":[]}"#)
        }
        let client = AzureClient(shell: world.shell, clientID: nil)
        let failure = await error {
            _ = try await client.instances(cluster: "c", world.shell.round())
        }
        #expect(failure?.isTransient == true)
        // Of the API; those of the metadata service are not counted.
        #expect(world.shell.callCount == 2)
        world.clocks.advance(.seconds(29))
        let next = try await client.instances(cluster: "c", world.shell.round())
        #expect(next.callCount == 1)
        // A round that succeeded is forgotten.
        let whole = try await client.instances(cluster: "c", world.shell.round())
        #expect(whole.callCount == 2)
    }

    @Test func `several identities need a choice`() async {
        let world = CloudWorld { request, _ in
            request.target.hasPrefix("/metadata/identity/")
                ? .success(
                    .text(
                        #"{"error":"invalid_request","error_description":"Multiple exist"}"#,
                        status: 400))
                : .success(
                    .text(
                        #"{"compute":{"subscriptionId":"s","resourceGroupName":"g","name":"v","#
                            + #""location":"l"}}"#))
        }
        let failure = await error {
            _ = try await AzureClient(shell: world.shell, clientID: nil).instances(
                cluster: "c", world.shell.round())
        }
        #expect("\(failure!)".contains("DISCOVERY_AZURE_CLIENT_ID"))
    }

    @Test func `a zone has its region before it`() async throws {
        let world = world { _, _ in .text("") }
        let identity = try await AzureClient(shell: world.shell, clientID: nil).identity(
            world.shell.round())
        #expect(identity.zone == "westeurope-2" && identity.resourceGroup == "g 1")
        #expect(AzureMetadata.zone("", location: "westus") == "westus")
    }
}
