import Core
import Foundation
import Messages

/// The rows of join tokens: few, so that going through all of them costs nothing.
struct JoinTokens {
    let connection: SQLiteConnection

    func token(_ id: Data) throws(SQLiteError) -> ProtoJoinToken? {
        let row = try connection.statement("SELECT value FROM join_tokens WHERE id = ?1")
        row.bind(1, id)
        defer { row.reset() }
        return try row.step() ? try decode(ProtoJoinToken.self, row.bytes(0)) : nil
    }

    /// In the order of their ids.
    func all() throws(SQLiteError) -> [ProtoJoinToken] {
        let rows = try connection.statement("SELECT value FROM join_tokens ORDER BY id")
        defer { rows.reset() }
        var tokens: [ProtoJoinToken] = []
        while try rows.step() { tokens.append(try decode(ProtoJoinToken.self, rows.bytes(0))) }
        return tokens
    }

    func write(_ token: ProtoJoinToken) throws(SQLiteError) {
        try connection.statement("INSERT OR REPLACE INTO join_tokens (id, value) VALUES (?1, ?2)")
            .bind(1, token.id).bind(2, (try? token.serializedBytes()) ?? []).run()
    }

    func remove(_ id: Data) throws(SQLiteError) {
        try connection.statement("DELETE FROM join_tokens WHERE id = ?1").bind(1, id).run()
    }
}

extension SystemChange {
    func putJoinToken(_ token: ProtoJoinToken) throws(SQLiteError) -> [UInt8] {
        let rows = JoinTokens(connection: connection)
        let all = try rows.all()
        if all.contains(where: { $0.id == token.id }) {
            return result(.invalidCommand, "the token's id is taken")
        }
        // By the proposer's clock, which all replicas see: they stay the same.
        let old = all.filter { $0.expiresMs < time - CatalogueLimits.joinTokenKeptMilliseconds }
        guard all.count - old.count < CatalogueLimits.joinTokensMax else {
            return result(.tooMany, "join tokens")
        }
        for token in old { try rows.remove(token.id) }
        var token = token
        token.createdMs = time
        token.isRevoked = false
        try rows.write(token)
        return result(.none)
    }

    func revokeJoinToken(_ id: Data) throws(SQLiteError) -> [UInt8] {
        let rows = JoinTokens(connection: connection)
        guard var token = try rows.token(id) else { return result(.noSuchJoinToken) }
        token.isRevoked = true
        try rows.write(token)
        return result(.none)
    }
}
