//! Header fields in the order in which they came (RFC 9110, 5).

/// The fields of one head; names are kept as sent and compared without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// No field.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a field behind the others.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    /// The first value of a field.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }

    /// Every value of a field in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        let of = move |(n, v): &'a (String, String)| n.eq_ignore_ascii_case(name).then_some(&**v);
        self.0.iter().filter_map(of)
    }

    /// Every member of a comma-separated list field, trimmed, empty ones left out.
    ///
    /// Commas in quoted strings do not part members (RFC 9110, 5.6.1).
    pub fn members<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.all(name).flat_map(list)
    }

    /// Whether the field stands at least once.
    pub fn has(&self, name: &str) -> bool {
        self.first(name).is_some()
    }

    /// Takes every field of that name out.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    }

    /// Replaces every field of that name by one.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.remove(name);
        self.push(name, value);
    }

    /// Keeps the fields that `wanted` says yes to.
    pub fn retain(&mut self, mut wanted: impl FnMut(&str, &str) -> bool) {
        self.0.retain(|(name, value)| wanted(name, value));
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + '_ {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes that the fields take as written, for accounts of memory.
    pub fn size(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.len() + 4).sum()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        Self(fields.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// The members of one list value (RFC 9110, 5.6.1).
pub fn list(value: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    let parts = value.split(move |c| {
        if quoted {
            quoted = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            return false;
        }
        quoted = c == '"';
        c == ','
    });
    parts.map(str::trim).filter(|member| !member.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_9110_5_6_1_lists_part_at_commas_outside_quotes() {
        let fields: Fields =
            [("Vary", "a, b"), ("vary", " c,,"), ("X", r#""p,\"q", r"#)].into_iter().collect();
        assert_eq!(fields.members("VARY").collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(fields.members("x").collect::<Vec<_>>(), [r#""p,\"q""#, "r"]);
    }

    #[test]
    fn a_name_is_one_name_in_any_case() {
        let mut fields: Fields = [("ETag", "1"), ("etag", "2")].into_iter().collect();
        assert_eq!(fields.first("Etag"), Some("1"));
        fields.set("ETAG", "3");
        assert_eq!(fields.iter().collect::<Vec<_>>(), [("ETAG", "3")]);
    }
}
