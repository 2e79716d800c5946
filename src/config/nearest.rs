//! The known key that a mistyped one was probably meant to be.

/// The candidate with the fewest edits to `word`, if these are few enough to be a slip.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.chars().count() > LONGEST {
        return None;
    }
    let word = word.to_lowercase().replace('_', "-");
    let far = |known: &str| word.chars().count().max(known.chars().count()) / 3;
    known
        .into_iter()
        .map(|known| (edits(&word, known), known))
        .filter(|(edits, known)| *edits <= far(known).max(1))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, known)| known)
}

/// Insertions, deletions, replacements and swaps of neighbours from `a` to `b` (the optimal
/// string alignment distance).
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = match (i, j) {
                (0, n) | (n, 0) => n,
                _ => {
                    let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                    let changed = rows[i - 1][j].min(rows[i][j - 1]) + 1;
                    let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                    let swap = if swapped { rows[i - 2][j - 2] + 1 } else { usize::MAX };
                    replaced.min(changed).min(swap)
                }
            };
        }
    }
    rows[a.len()][b.len()]
}

/// Characters of a word that is compared at all; no key is half as long.
const LONGEST: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 5] = ["memory", "disk", "path", "max-object", "follow-redirects"];

    #[test]
    fn a_slip_finds_the_key_that_was_meant() {
        for (written, meant) in [
            ("memroy", Some("memory")),
            ("Memory", Some("memory")),
            ("max_object", Some("max-object")),
            ("follow-redirect", Some("follow-redirects")),
            ("dsik", Some("disk")),
            ("pth", Some("path")),
            ("colour", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(nearest(written, KNOWN), meant, "{written}");
        }
        assert_eq!(nearest(&"memory".repeat(1000), KNOWN), None);
    }
}
