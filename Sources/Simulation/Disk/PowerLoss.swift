/// What a power loss leaves of what was not synced. Whatever it is, pages are independent of each
/// other: a later one may be there without an earlier one.
package enum PowerLoss: Hashable, CaseIterable {
    /// Nothing.
    case nothing
    /// All of it.
    case everything
    /// The first half of each page.
    case halfPages
    /// Every other page: first the even ones, then the odd ones.
    case evenPages, oddPages
    /// For each page one of the states that it went through, torn at a sector or not.
    case random
}
