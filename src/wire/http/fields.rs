//! Header fields in the order in which they came (RFC 9110, 5).

/// The fields of one head; names are kept as sent and compared without regard to case.
///
/// All lie in one text: a cache holds the fields of each of its responses, and a text for each name
/// and each value takes more than twice as much.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    text: String,
    /// How long each name is, and its value behind it.
    sizes: Vec<(u32, u32)>,
}

impl Fields {
    /// No field.
    pub const fn new() -> Self {
        Self { text: String::new(), sizes: Vec::new() }
    }

    /// Adds a field behind the others.
    pub fn push(&mut self, name: impl AsRef<str>, value: impl AsRef<str>) {
        self.add(name.as_ref(), value.as_ref());
    }

    fn add(&mut self, name: &str, value: &str) {
        let size = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.text.push_str(name);
        self.text.push_str(value);
        self.sizes.push((size(name), size(value)));
    }

    /// The first value of a field.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Every value of a field in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        let of = move |(n, v): (&'a str, &'a str)| n.eq_ignore_ascii_case(name).then_some(v);
        self.iter().filter_map(of)
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
        if self.has(name) {
            self.retain(|n, _| !n.eq_ignore_ascii_case(name));
        }
    }

    /// Replaces every field of that name by one.
    pub fn set(&mut self, name: &str, value: impl AsRef<str>) {
        self.remove(name);
        self.add(name, value.as_ref());
    }

    /// Keeps the fields that `wanted` says yes to.
    pub fn retain(&mut self, mut wanted: impl FnMut(&str, &str) -> bool) {
        self.keep(&mut wanted);
    }

    fn keep(&mut self, wanted: &mut dyn FnMut(&str, &str) -> bool) {
        let whole = core::mem::take(self);
        self.text.reserve_exact(whole.text.len());
        self.sizes.reserve_exact(whole.sizes.len());
        for (name, value) in whole.iter() {
            if wanted(name, value) {
                self.add(name, value);
            }
        }
    }

    /// Names and values in order.
    pub fn iter(&self) -> Iter<'_> {
        Iter { rest: &self.text, sizes: self.sizes.iter() }
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.sizes.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.sizes.is_empty()
    }

    /// Bytes that the fields take as written, for accounts of memory.
    pub fn size(&self) -> usize {
        self.text.len() + self.len() * 4
    }
}

/// The fields of a head, in order.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    rest: &'a str,
    sizes: core::slice::Iter<'a, (u32, u32)>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.sizes.next()?;
        let (name, rest) = self.rest.split_at_checked(*name as usize)?;
        let (value, rest) = rest.split_at_checked(*value as usize)?;
        self.rest = rest;
        Some((name, value))
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut all = Self::new();
        fields.into_iter().for_each(|(name, value)| all.add(name.as_ref(), value.as_ref()));
        all
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
