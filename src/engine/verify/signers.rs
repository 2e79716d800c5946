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
    /// The key of this very node, where it signs what it took from the origin.
    pub own: Option<NodeKey>,
    /// In how many places nodes must say the same to be believed together; none where they are
    /// not.
    pub quorum: Option<usize>,
}

/// A signer's place in the list of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u16);

/// Everybody whose records count or counted.
#[derive(Debug, Default)]
pub(super) struct Signers(Vec<Signer>);

/// Why a signer's word counts, the better reason last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// It is one of many: its word counts with others' alone.
    Node,
    /// It is this very node.
    Own,
    Witness,
    Publisher,
}

#[derive(Debug)]
struct Signer {
    key: NodeKey,
    class: Class,
    trusted: bool,
    agreed: u16,
    contradicted: u16,
}

impl Signers {
    pub(super) fn new(trusted: &Trusted) -> Self {
        let mut signers = Self::default();
        for (keys, class) in [
            (&trusted.publishers[..], Class::Publisher),
            (&trusted.witnesses, Class::Witness),
            (trusted.own.as_slice(), Class::Own),
        ] {
            for key in keys {
                let _ = signers.add(*key, class);
            }
        }
        signers
    }

    fn add(&mut self, key: NodeKey, class: Class) -> Option<Place> {
        if let Some(found) = self.place(key) {
            return Some(found);
        }
        let place = u16::try_from(self.0.len()).ok().map(Place)?;
        self.0.push(Signer { key, class, trusted: true, agreed: 0, contradicted: 0 });
        Some(place)
    }

    /// Where a signer stands in the list, if it does.
    pub(super) fn place(&self, key: NodeKey) -> Option<Place> {
        let found = self.0.iter().position(|signer| signer.key == key)?;
        u16::try_from(found).ok().map(Place)
    }

    /// Where a signer stands in the list; none if its records do not count by themselves.
    pub(super) fn trusted(&self, key: NodeKey) -> Option<Place> {
        let place = self.place(key)?;
        let signer = &self.0[usize::from(place.0)];
        (signer.trusted && signer.class > Class::Node).then_some(place)
    }

    /// Where a node stands whose word counts with others', newly if need be; none where it lied.
    /// Where there are too many one goes on whose word nothing rests, which `used` are not.
    pub(super) fn voter<'a>(
        &mut self,
        key: NodeKey,
        used: impl IntoIterator<Item = &'a Place>,
    ) -> Option<Place> {
        if self.place(key).is_none() && self.0.len() >= limits::record::VOTERS {
            let is_free = |signer: &Signer| signer.class == Class::Node && signer.trusted;
            let mut free: Vec<bool> = self.0.iter().map(is_free).collect();
            used.into_iter().for_each(|place| free[usize::from(place.0)] = false);
            let place = free.iter().position(|free| *free)?;
            self.0[place] = Signer { key, agreed: 0, contradicted: 0, ..self.0[place] };
            return u16::try_from(place).ok().map(Place);
        }
        let place = self.add(key, Class::Node)?;
        self.0[usize::from(place.0)].trusted.then_some(place)
    }

    /// Whose place that is.
    pub(super) fn key(&self, place: Place) -> NodeKey {
        self.0[usize::from(place.0)].key
    }

    /// Why the signer's word counts.
    pub(super) fn class(&self, key: NodeKey) -> Option<Class> {
        self.0.iter().find(|signer| signer.key == key).map(|signer| signer.class)
    }

    /// The origin's own bytes of a segment agree with the signer's record of it.
    pub(super) fn on_agreed(&mut self, place: Place) {
        self.count(place, |signer| signer.agreed += 1);
    }

    /// The origin's own bytes of a segment differ from the signer's record of it.
    pub(super) fn on_contradicted(&mut self, place: Place) {
        self.count(place, |signer| signer.contradicted += 1);
    }

    /// A trusted signer whose records were contradicted more often than they held, and not only
    /// once or twice; or one of many who said once what is not so.
    pub(super) fn liar(&self) -> Option<NodeKey> {
        let lies = |signer: &&Signer| match signer.class {
            Class::Node => signer.trusted && signer.contradicted > 0,
            // What this node itself took is what its origin sent then.
            Class::Own => false,
            Class::Witness | Class::Publisher => {
                let often = signer.contradicted >= limits::record::CONTRADICTIONS;
                signer.trusted && often && signer.contradicted > signer.agreed
            }
        };
        self.0.iter().find(lies).map(|signer| signer.key)
    }

    /// The signer's records count no more; where it stood in the list, if it did.
    pub(super) fn distrust(&mut self, key: NodeKey) -> Option<Place> {
        let place = self.place(key)?;
        let signer = &mut self.0[usize::from(place.0)];
        core::mem::take(&mut signer.trusted).then_some(place)
    }

    fn count(&mut self, place: Place, what: impl Fn(&mut Signer)) {
        let signer = &mut self.0[usize::from(place.0)];
        what(signer);
        if signer.agreed + signer.contradicted > limits::record::STANDING {
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
        Signers::new(&Trusted {
            witnesses: vec![KEY],
            publishers: vec![NodeKey([2; 32])],
            own: Some(NodeKey([3; 32])),
            quorum: Some(3),
        })
    }

    #[test]
    fn a_signer_lies_when_it_is_mostly_wrong() {
        let mut signers = signers();
        signers.on_contradicted(Place(1));
        signers.on_contradicted(Place(1));
        assert_eq!(signers.liar(), None, "content may change behind its URL");
        signers.on_contradicted(Place(1));
        assert_eq!(signers.liar(), Some(KEY));
        (0..3).for_each(|_| signers.on_agreed(Place(1)));
        assert_eq!(signers.liar(), None, "it was right as often");
    }

    #[test]
    fn a_good_past_covers_few_lies() {
        let mut signers = signers();
        (0..1000).for_each(|_| signers.on_agreed(Place(1)));
        let lies = (1..).find(|_| {
            signers.on_contradicted(Place(1));
            signers.liar().is_some()
        });
        assert!(lies.is_some_and(|lies| lies <= limits::record::STANDING), "{lies:?}");
    }

    #[test]
    fn who_is_distrusted_counts_no_more() {
        let mut signers = signers();
        assert!(signers.distrust(KEY).is_some());
        assert_eq!((signers.trusted(KEY), signers.distrust(KEY)), (None, None));
        (0..3).for_each(|_| signers.on_contradicted(Place(1)));
        assert_eq!(signers.liar(), None);
        assert_eq!(signers.class(NodeKey([2; 32])), Some(Class::Publisher));
    }

    #[test]
    fn one_of_many_counts_with_others_and_lies_once() {
        let (mut signers, node) = (signers(), NodeKey([9; 32]));
        let place = signers.voter(node, []).expect("room");
        assert_eq!((signers.trusted(node), signers.voter(node, [])), (None, Some(place)));
        signers.on_agreed(place);
        assert_eq!(signers.liar(), None);
        signers.on_contradicted(place);
        assert_eq!(signers.liar(), Some(node));
        assert_eq!((signers.distrust(node), signers.voter(node, [])), (Some(place), None));
        let of = |number: u32| {
            let mut key = [7; 32];
            key[..4].copy_from_slice(&number.to_be_bytes());
            NodeKey(key)
        };
        let kept = signers.voter(of(0), []).expect("room");
        for number in 1..10_000 {
            assert!(signers.voter(of(number), [&kept]).is_some(), "{number} keys take all places");
        }
        assert_eq!(signers.0.len(), limits::record::VOTERS);
        let all: Vec<_> = (0..limits::record::VOTERS as u16).map(Place).collect();
        assert_eq!(signers.voter(of(20_000), &all), None);
        assert_eq!((signers.key(kept), signers.key(Place(0))), (of(0), NodeKey([2; 32])));
        assert_eq!(signers.voter(node, []), None, "nor is a lie forgotten");
    }
}
