import ArgumentParser
import Cloud
import Core
import Foundation

/// `dstnode secret`: secrets that a cloud keeps.
struct SecretCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "secret", abstract: "Fetch secrets that a cloud keeps.",
        subcommands: [Fetch.self])

    struct Fetch: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Fetch a secret with the identity of this machine into a file.",
            discussion: """
                REFERENCE is aws:arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME, \
                gcp:projects/P/secrets/S/versions/V or \
                azure:https://VAULT.vault.azure.net/secrets/NAME. The file is its owner's alone \
                (0600) and written whole or not at all. What fails is tried again until --timeout: \
                a permission that was just granted takes minutes to work.
                """)

        @Argument(help: "Where the secret is kept.") var reference: String
        @Option(help: "The file to write.") var output: String
        @Option(help: "How long to go on trying, such as 5m.") var timeout = "5m"
        @Option(help: "Azure: client id of the identity, where the VM has several.")
        var azureClientId: String?

        func run() async throws {
            guard let patience = DurationText.parse(timeout) else {
                throw ValidationError("--timeout is a duration: write a number and a unit")
            }
            let environment = ProcessInfo.processInfo.environment
            let reference: SecretReference
            let clients: CloudClients
            do throws(CloudError) {
                reference = try SecretReference(self.reference)
                clients = CloudClients(
                    shell: CloudShell(endpoints: try CloudEndpoints(environment: environment)),
                    azureClientID: azureClientId
                        ?? environment["DISCOVERY_AZURE_CLIENT_ID"].flatMap {
                            $0.isEmpty ? nil : $0
                        })
            } catch {
                Terminal.complain("\(error)")
                throw ExitCode(EX_USAGE)
            }
            let value = try await fetch(reference, clients, patience)
            do {
                try DurableFile.replace(output, with: value)
            } catch {
                Terminal.complain("the secret is not written: \(error)")
                throw ExitCode(1)
            }
        }

        private func fetch(
            _ reference: SecretReference, _ clients: CloudClients, _ patience: Duration
        ) async throws -> [UInt8] {
            let end = ContinuousClock.now + patience
            var backoff = CloudBackoff()
            var lastKind = ""
            while true {
                let error: CloudError
                do throws(CloudError) {
                    return try await clients.secret(reference, clients.shell.round())
                } catch let failure {
                    error = failure
                }
                if error.kind != lastKind { Terminal.complain("\(error)") }
                lastKind = error.kind
                let pause = backoff.next(after: error, chance: Double.random(in: 0..<1))
                guard ContinuousClock.now + pause < end else {
                    Terminal.complain("no secret within \(timeout); nothing was written")
                    throw ExitCode(EX_TEMPFAIL)
                }
                try await Task.sleep(for: pause)
            }
        }
    }
}
