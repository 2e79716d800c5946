//! The ledger on the status page: what was given to other nodes and taken from them, by origin and
//! tier.

use super::escape::escape;
use super::words;
use crate::node::status::{Account, Status};

/// Writes the section; nothing where there is no network.
pub fn render(status: &Status) -> String {
    if status.network.is_none() && status.ledger.is_empty() {
        return String::new();
    }
    let mut largest: Vec<&Account> = status.ledger.iter().collect();
    largest.sort_unstable_by_key(|account| {
        core::cmp::Reverse(account.given_bytes + account.taken_bytes)
    });
    let rows: String = largest.iter().take(ROWS).map(|account| row(account)).collect();
    let rest = match largest.len().saturating_sub(ROWS) {
        0 => String::new(),
        more => format!("<p class=soft>{more} more by <code>neap ledger</code></p>"),
    };
    let none = "<p class=soft>Nothing was given or taken yet.</p>";
    let list = if rows.is_empty() { none.into() } else { format!("<ul>{rows}</ul>") };
    format!("<h2>Given and taken</h2>{list}{rest}")
}

fn row(account: &Account) -> String {
    format!(
        "<li><div class=row><span class=name>{}</span><span class=\"tone calm\">{}</span></div>\
         <div class=\"row soft\"><span>given {}</span><span>taken {}</span></div></li>",
        escape(&account.origin),
        escape(&account.tier),
        words::size(account.given_bytes),
        words::size(account.taken_bytes)
    )
}

/// Accounts that are shown, those of most bytes: the page stays small.
const ROWS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_accounts_are_shown_and_the_others_counted() {
        let account = |number: u64| Account {
            origin: format!("<tv-{number}>"),
            tier: "home".into(),
            given_bytes: number << 20,
            taken_bytes: 0,
        };
        let ledger: Vec<_> = (0..11).map(account).collect();
        let page = render(&Status { ledger, ..Status::default() });
        assert_eq!(page.matches("<li>").count(), ROWS);
        assert!(page.contains("&lt;tv-10&gt;") && !page.contains("tv-2&"), "{page}");
        assert!(page.contains("3 more"), "{page}");
        assert_eq!(render(&Status::default()), "", "no network, no ledger");
    }
}
