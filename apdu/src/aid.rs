//! Application names: AIDs and right-truncated selection by name.
//!
//! Follows ISO/IEC 7816-4:2020, clause 12 (an AID has 5 to 16 bytes: a 5-byte registered
//! identifier RID and an extension PIX) and clause 11 (SELECT by full or right-truncated name).

/// An application identifier: 5 to 16 bytes.
///
/// ```
/// use apdu::Aid;
///
/// let piv = Aid::new(&[0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00]);
/// let piv = piv.ok_or("not an AID")?;
/// assert_eq!(piv.rid(), [0xA0, 0x00, 0x00, 0x03, 0x08]);
/// assert!(piv.matches(&[0xA0, 0x00, 0x00, 0x03, 0x08], 5));
/// assert!(!piv.matches(&[0xA0, 0x00, 0x00, 0x03, 0x08], 9));
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Aid<'a>(&'a [u8]);

impl<'a> Aid<'a> {
    /// The shortest AID, in bytes: the RID alone.
    pub const MIN_LEN: usize = 5;
    /// The longest AID, in bytes.
    pub const MAX_LEN: usize = 16;

    /// Wraps a name, or `None` when its length is not 5 to 16 bytes.
    pub const fn new(bytes: &'a [u8]) -> Option<Self> {
        match bytes.len() {
            Self::MIN_LEN..=Self::MAX_LEN => Some(Self(bytes)),
            _ => None,
        }
    }

    /// The whole name.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The registered application provider identifier: the first 5 bytes.
    pub fn rid(self) -> &'a [u8] {
        self.0.get(..Self::MIN_LEN).unwrap_or(self.0)
    }

    /// The provider's own extension: what follows the RID, possibly nothing.
    pub fn pix(self) -> &'a [u8] {
        self.0.get(Self::MIN_LEN..).unwrap_or_default()
    }

    /// True when SELECT with `requested` means this application; see [`select_matches`].
    pub fn matches(self, requested: &[u8], shortest: usize) -> bool {
        select_matches(self.0, requested, shortest)
    }
}

/// True when `requested` is `full`, or `full` with bytes cut off its right end, and at least
/// `shortest` bytes long.
///
/// `shortest` is the card's choice: PIV applications answer to the 9-byte name without its
/// version, some also to the bare 5-byte RID. With `shortest` 0 an empty name matches too,
/// which ISO reads as "the default application".
pub fn select_matches(full: &[u8], requested: &[u8], shortest: usize) -> bool {
    requested.len() >= shortest && full.starts_with(requested)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIV: &[u8] = &[0xA0, 0, 0, 3, 8, 0, 0, 0x10, 0, 1, 0];

    #[test]
    fn truncation_is_on_the_right_and_has_a_floor() {
        for length in 0..=PIV.len() {
            let requested = &PIV[..length];
            assert_eq!(select_matches(PIV, requested, 9), length >= 9, "{length}");
            assert!(select_matches(PIV, requested, 0));
        }
    }

    #[test]
    fn other_or_longer_names_do_not_match() {
        // OpenSC's name for old G&D cards: version bytes moved, so this card must not answer.
        assert!(!select_matches(PIV, &[0xA0, 0, 0, 3, 8, 0, 0, 0x10, 0, 0x10, 0, 1], 9));
        assert!(!select_matches(PIV, &[PIV, &[0]].concat(), 9));
        assert!(!select_matches(PIV, &PIV[1..], 5));
    }

    #[test]
    fn lengths_of_an_aid() {
        for length in 0..=20 {
            let bytes = [0xA0; 20];
            let aid = Aid::new(&bytes[..length]);
            assert_eq!(aid.is_some(), (5..=16).contains(&length));
            if let Some(aid) = aid {
                assert_eq!(aid.rid().len() + aid.pix().len(), length);
                assert_eq!(aid.as_bytes().len(), length);
            }
        }
    }
}
