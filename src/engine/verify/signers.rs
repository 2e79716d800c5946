//! Whose records count, and how well each signer's word has held against the origin's own bytes.

use crate::base::limits;
use crate::base::peer::NodeKey;

/// Whose records count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trusted {
    /// Nodes that take every segment from the origin themselves.
    pub witnesses: Vec<NodeKey>,
    /// Whoever packages the segments.
    pub publishers: Vec<NodeKey>,
}

/// A signer's place in the list of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u16);

/// Everybody whose records count or counted.
#[derive(Debug, Default)]
pub(super) struct Signers(Vec<Signer>);

#[derive(Debug)]
struct Signer {
    key: NodeKey,
    publisher: bool,
    trusted: bool,
    agreed: u16,
    contradicted: u16,
}

impl Signers {
    pub(super) fn new(trusted: &Trusted) -> Self {
        let publishers = trusted.publishers.iter().map(|key| (*key, true));
        let witnesses = trusted.witnesses.iter().map(|key| (*key, false));
        let mut signers: Vec<Signer> = Vec::new();
        for (key, publisher) in publishers.chain(witnesses).take(usize::from(u16::MAX)) {
            if !signers.iter().any(|signer| signer.key == key) {
                signers.push(Signer { key, publisher, trusted: true, agreed: 0, contradicted: 0 });
            }
        }
        Self(signers)
    }

    /// Where a signer stands in the list; none if its records do not count.
    pub(super) fn trusted(&self, key: NodeKey) -> Option<Place> {
        let found = self.0.iter().position(|signer| signer.trusted && signer.key == key)?;
        u16::try_from(found).ok().map(Place)
    }

    /// Whether the signer is a publisher, whose records are the better ones.
    pub(super) fn is_publisher(&self, key: NodeKey) -> bool {
        self.0.iter().any(|signer| signer.key == key && signer.publisher)
    }

    /// The origin's own bytes of a segment agree with the signer's record of it.
    pub(super) fn on_agreed(&mut self, key: NodeKey) {
        self.count(key, |signer| signer.agreed += 1);
    }

    /// The origin's own bytes of a segment differ from the signer's record of it.
    pub(super) fn on_contradicted(&mut self, key: NodeKey) {
        self.count(key, |signer| signer.contradicted += 1);
    }

    /// A trusted signer whose records were contradicted more often than they held, and not only
    /// once or twice.
    pub(super) fn liar(&self) -> Option<NodeKey> {
        let lies = |signer: &&Signer| {
            let often = signer.contradicted >= limits::CONTRADICTIONS;
            signer.trusted && often && signer.contradicted > signer.agreed
        };
        self.0.iter().find(lies).map(|signer| signer.key)
    }

    /// The signer's records count no more; where it stood in the list, if it did.
    pub(super) fn distrust(&mut self, key: NodeKey) -> Option<Place> {
        let place = self.trusted(key)?;
        self.0[usize::from(place.0)].trusted = false;
        Some(place)
    }

    fn count(&mut self, key: NodeKey, what: impl Fn(&mut Signer)) {
        let Some(signer) = self.0.iter_mut().find(|signer| signer.key == key) else { return };
        what(signer);
        if signer.agreed + signer.contradicted > limits::STANDING {
            signer.agreed /= 2;
            signer.contradicted /= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: NodeKey = NodeKey([1; 32]);

    fn signers() -> Signers {
        Signers::new(&Trusted { witnesses: vec![KEY], publishers: vec![NodeKey([2; 32])] })
    }

    #[test]
    fn a_signer_lies_when_it_is_mostly_wrong() {
        let mut signers = signers();
        signers.on_contradicted(KEY);
        signers.on_contradicted(KEY);
        assert_eq!(signers.liar(), None, "content may change behind its URL");
        signers.on_contradicted(KEY);
        assert_eq!(signers.liar(), Some(KEY));
        (0..3).for_each(|_| signers.on_agreed(KEY));
        assert_eq!(signers.liar(), None, "it was right as often");
    }

    #[test]
    fn a_good_past_covers_few_lies() {
        let mut signers = signers();
        (0..1000).for_each(|_| signers.on_agreed(KEY));
        let lies = (1..).find(|_| {
            signers.on_contradicted(KEY);
            signers.liar().is_some()
        });
        assert!(lies.is_some_and(|lies| lies <= limits::STANDING), "{lies:?}");
    }

    #[test]
    fn who_is_distrusted_counts_no_more() {
        let mut signers = signers();
        assert!(signers.distrust(KEY).is_some());
        assert_eq!((signers.trusted(KEY), signers.distrust(KEY)), (None, None));
        (0..3).for_each(|_| signers.on_contradicted(KEY));
        assert_eq!(signers.liar(), None);
        assert!(signers.is_publisher(NodeKey([2; 32])) && !signers.is_publisher(KEY));
    }
}
