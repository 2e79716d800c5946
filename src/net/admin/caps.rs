//! The caps on the status page: what each allows, what is used, what it holds back and why.

use super::escape::escape;
use crate::node::status::{Cap, Status};

/// Writes the section.
pub fn render(status: &Status) -> String {
    let lead = match &status.sharing {
        Some(why) => format!("<p class=\"tone warn\">{}</p>", escape(why)),
        None => format!("<p class=soft>{}</p>", status.unheld()),
    };
    let rows: String = status.caps.iter().map(row).collect();
    format!("<h2>Caps</h2>{lead}<ul>{rows}</ul>")
}

fn row(cap: &Cap) -> String {
    let told = [("now ", &cap.now), ("", &cap.period)].into_iter();
    let told = told.filter(|(_, text)| !text.is_empty());
    let used: Vec<_> = told.map(|(label, text)| format!("{label}{}", escape(text))).collect();
    let holds = if cap.holds.is_empty() {
        String::new()
    } else {
        format!("<div class=\"tone warn\">{}</div>", escape(&cap.holds))
    };
    format!(
        "<li><div class=row><span class=name>{}</span><span class=soft>{}</span></div>\
         <div class=soft>{}</div>{holds}</li>",
        escape(&cap.name),
        escape(&cap.limit),
        used.join("<br>")
    )
}
