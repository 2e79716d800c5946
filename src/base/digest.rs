//! SHA-256 digests (FIPS 180-4), the only hash that names or proves content.

use core::fmt;

/// A SHA-256 digest: 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_parts([bytes])
    }

    /// The digest of the parts, one after the other, without joining them first.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        for part in parts {
            context.update(part);
        }
        let mut out = [0; 32];
        out.copy_from_slice(context.finish().as_ref());
        Self(out)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// The digest of a whole object, as its origin states it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sum {
    /// SHA-256 (FIPS 180-4).
    Sha256([u8; 32]),
    /// SHA-512 (FIPS 180-4).
    Sha512([u8; 64]),
}

/// How a [`Sum`] is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// [`Sum::Sha256`].
    Sha256,
    /// [`Sum::Sha512`].
    Sha512,
}

/// A sum that is being made, piece by piece.
pub struct Summing(Algorithm, ring::digest::Context);

impl Summing {
    /// Nothing is summed yet.
    pub fn new(algorithm: Algorithm) -> Self {
        let kind = match algorithm {
            Algorithm::Sha256 => &ring::digest::SHA256,
            Algorithm::Sha512 => &ring::digest::SHA512,
        };
        Self(algorithm, ring::digest::Context::new(kind))
    }

    /// The next bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.1.update(bytes);
    }

    /// The sum of all that was added.
    pub fn finish(self) -> Sum {
        let found = self.1.finish();
        let found = found.as_ref();
        match self.0 {
            Algorithm::Sha256 => Sum::Sha256(core::array::from_fn(|place| found[place])),
            Algorithm::Sha512 => Sum::Sha512(core::array::from_fn(|place| found[place])),
        }
    }
}

impl Sum {
    /// How it is made.
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Its bytes.
    pub const fn bytes(&self) -> &[u8] {
        match self {
            Self::Sha256(bytes) => bytes,
            Self::Sha512(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}:", self.algorithm())?;
        self.bytes().iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_the_same_however_the_bytes_are_cut() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let sum = |parts: &[&[u8]]| {
                let mut summing = Summing::new(algorithm);
                parts.iter().for_each(|part| summing.add(part));
                summing.finish()
            };
            let whole = sum(&[b"abc"]);
            assert_eq!((whole, whole.algorithm()), (sum(&[b"a", b"", b"bc"]), algorithm));
            assert_ne!(whole, sum(&[b"acb"]));
        }
        let mut summing = Summing::new(Algorithm::Sha256);
        summing.add(b"abc");
        assert_eq!(summing.finish().bytes(), Digest::of(b"abc").0);
    }

    #[test]
    fn fips_180_4_one_block_message() {
        let digest = Digest::of_parts([b"a".as_slice(), b"bc"]);
        assert_eq!(
            digest.to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(digest, Digest::of(b"abc"));
    }
}
