import Messages
import Wire

/// Hands the calls of formation to the actor.
package enum FormationService {
    package static func routes(to formation: Formation) -> WireRoutes {
        var routes = WireRoutes()
        routes.on(.formationProbe) { call in call.respond { _ in await formation.probed() } }
        routes.on(.formationPropose) { call in
            call.respond { try await formation.proposed(try $0.decode()) }
        }
        routes.on(.formationDecide) { call in
            call.respond { try await formation.decided(try $0.decode()) }
        }
        routes.on(.formationWithdraw) { call in
            call.respond { try await formation.withdrawn(try $0.decode()) }
        }
        return routes
    }
}
