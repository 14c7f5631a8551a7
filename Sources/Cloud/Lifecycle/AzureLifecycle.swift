import Core
import Foundation
import S3

/// Scheduled events of Azure ("Scheduled Events for Linux VMs", Azure documentation). Every VM of a
/// placement group sees the events of all, and may acknowledge them: this one answers only what
/// concerns it alone.
package final class AzureLifecycle: LifecycleWatch {
    private let client: AzureClient

    package init(client: AzureClient) { self.client = client }

    package var pause: Duration { .seconds(5) }
    /// The time until the event can't be stretched.
    package var heartbeatPause: Duration? { nil }

    struct Event: Decodable, Equatable {
        let id: String
        let type: String
        let status: String?
        let resources: [String]
        /// `Mon, 19 Sep 2016 18:29:47 GMT`; empty once it has begun.
        let notBefore: String?

        enum CodingKeys: String, CodingKey {
            case id = "EventId"
            case type = "EventType"
            case status = "EventStatus"
            case resources = "Resources"
            case notBefore = "NotBefore"
        }
    }

    private struct Document: Decodable {
        let events: [Event]

        enum CodingKeys: String, CodingKey { case events = "Events" }
    }

    static func events(_ reply: CloudReply, _ host: String) throws(CloudError) -> [Event] {
        Array(
            try JSONReply.decode(Document.self, reply, from: host).events
                .prefix(CloudLimits.eventsMax))
    }

    /// The most urgent of what concerns this machine: an end before a restart.
    ///
    /// - Parameter name: Of this VM, as the metadata service says it.
    static func notice(_ events: [Event], name: String) -> LifecycleNotice? {
        let own = events.filter { $0.resources.contains { isSame($0, name) } }
        let notices = own.compactMap(notice)
        return notices.first { $0.isFinal } ?? notices.first
    }

    private static func notice(_ event: Event) -> LifecycleNotice? {
        let kind: LifecycleNotice.Kind
        switch event.type {
        case "Terminate": kind = .groupTermination
        case "Preempt": kind = .interruption
        case "Reboot", "Redeploy", "Freeze": kind = .maintenance
        default: return nil
        }
        return LifecycleNotice(
            kind: kind, detail: "scheduled event \(event.type)",
            deadline: event.notBefore.flatMap(HTTPDate.parse),
            eventID: event.id)
    }

    private static func isSame(_ left: String, _ right: String) -> Bool {
        left.lowercased() == right.lowercased()
    }

    /// The answer that lets `notice` begin, if this machine may give it: the event's resources are
    /// exactly this VM.
    static func acknowledgement(
        _ endpoint: CloudEndpoint, of notice: LifecycleNotice, among events: [Event], name: String
    ) throws(CloudError) -> CloudRequest? {
        guard let event = events.first(where: { $0.id == notice.eventID }),
            event.resources.count == 1, isSame(event.resources[0], name),
            event.status != "Started"
        else { return nil }
        let body: Data
        do {
            body = try JSONEncoder().encode(["StartRequests": [["EventId": event.id]]])
        } catch {
            throw .malformed(endpoint.authority, what: "an event id that is no text")
        }
        return CloudRequest(
            "POST", endpoint, "/metadata/" + AzureMetadata.eventsTarget,
            headers: [("metadata", "true"), ("content-type", "application/json")],
            body: Array(body))
    }

    package func look() async throws(CloudError) -> LifecycleNotice? {
        let deadline = client.shell.round()
        let name = try await client.identity(deadline).instanceName
        return Self.notice(try await events(deadline), name: name)
    }

    private func events(_ deadline: CloudDeadline) async throws(CloudError) -> [Event] {
        try Self.events(
            try await client.metadata(AzureMetadata.eventsTarget, deadline), client.metadataHost)
    }

    package func heartbeat(_ notice: LifecycleNotice) async throws(CloudError) {}

    /// Only a safe machine lets the event begin earlier; one that is not waits in silence, and the
    /// event begins at its time anyway.
    package func answer(
        _ notice: LifecycleNotice, _ result: LifecycleResult
    ) async throws(CloudError) {
        guard result == .safe else { return }
        let deadline = client.shell.round()
        let name = try await client.identity(deadline).instanceName
        let request = try Self.acknowledgement(
            client.shell.endpoints.azureMetadata, of: notice, among: try await events(deadline),
            name: name)
        guard let request else { return }
        let reply = try await client.shell.metadata(request, deadline)
        guard reply.isFine else { throw AzureFault.metadata(reply, client.metadataHost) }
    }
}
