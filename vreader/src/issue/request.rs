//! What may be chosen of a new card, and whether the choice makes a legal card.

use card_sim::{
    key::{AsymmetricAlgorithm, SymmetricAlgorithm, SymmetricKey},
    profile::Profile,
    reference,
};
use zeroize::Zeroizing;

use super::{
    broken::{Fault, Life},
    cac::CacRequest,
    date::Date,
    error::IssueError,
    features::Features,
    like::{self, Likeness, Shape},
    person::Person,
};

/// PIN of every sample card.
pub const DEFAULT_PIN: &str = "123456";
/// PUK of every sample card.
pub const DEFAULT_PUK: &str = "12345678";
/// Global PIN of sample cards that have one.
pub const DEFAULT_GLOBAL_PIN: &str = "777777";
/// Card management key of every sample card, an AES-192 key: the one that YubiKeys since firmware 5.7 come with.
pub const DEFAULT_MANAGEMENT_KEY: [u8; 24] =
    [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8];

/// The day of issue of cards with a seed. It never changes, so that a seed gives the same bytes for ever; such a card
/// expires on 2031-12-31 unless another day is asked for.
pub const SEEDED_ISSUE_DATE: Date = match Date::new(2026, 1, 1) {
    Some(date) => date,
    None => panic!("1 January is in every calendar"),
};

/// FIPS 201-3, 2.8: the longest life of a card, in years.
const MAX_LIFE: u16 = 6;

const FIRST_YEAR: u16 = 1980;
const LAST_YEAR: u16 = 2099;

/// What may be chosen of a new card. [`Request::default`] is a P-256 card of a random sample person, valid from today.
pub struct Request {
    /// The same seed and the same other choices give the same card, byte for byte. `None`: a new card every time.
    pub seed: Option<u64>,
    /// The holder's name; `None` for a sample person.
    pub holder: Option<String>,
    /// The holder, if it is somebody who is known already; then `holder` says nothing.
    pub person: Option<Person>,
    /// First day of the card; `None` for today, or for [`SEEDED_ISSUE_DATE`] with a seed.
    pub issued: Option<Date>,
    /// Last day of the card; `None` for the longest life, six years.
    pub expires: Option<Date>,
    /// Algorithm of the keys 9A, 9C, 9D and 9E.
    pub algorithm: AsymmetricAlgorithm,
    /// Algorithm of the authorities and the content signer; `None` for P-384 with P-384 cards, else P-256.
    pub pki_algorithm: Option<AsymmetricAlgorithm>,
    /// PIN, 6 to 8 digits.
    pub pin: Zeroizing<String>,
    /// PUK, 8 ASCII characters.
    pub puk: Zeroizing<String>,
    /// What the card has beyond the mandatory.
    pub features: Features,
    /// Card management key, 9B.
    pub management_key: SymmetricKey,
    /// The card whose form this one takes; see [`Likeness::request`] for the choices that go with it.
    pub like: Option<&'static Likeness>,
    /// What is wrong with the card on purpose.
    pub broken: Option<Fault>,
    /// The CAC side of a Common Access Card.
    pub cac: Option<CacRequest>,
}

impl Default for Request {
    fn default() -> Self {
        let management_key = SymmetricKey::new(SymmetricAlgorithm::Aes192, &DEFAULT_MANAGEMENT_KEY);
        Self {
            seed: None,
            holder: None,
            person: None,
            issued: None,
            expires: None,
            algorithm: AsymmetricAlgorithm::EccP256,
            pki_algorithm: None,
            features: Features::default(),
            like: None,
            broken: None,
            cac: None,
            pin: Zeroizing::new(DEFAULT_PIN.to_owned()),
            puk: Zeroizing::new(DEFAULT_PUK.to_owned()),
            // AES-192 takes 24 bytes, and the constant's type says that it has them.
            management_key: management_key.expect("an AES-192 key has 24 bytes"),
        }
    }
}

impl Request {
    /// A request for a card on this stock, with nothing else chosen.
    pub fn for_profile(profile: &Profile) -> Self {
        match profile.cac {
            Some(stock) => Self {
                algorithm: AsymmetricAlgorithm::Rsa2048,
                cac: Some(CacRequest { applets: stock.applets, ..CacRequest::default() }),
                ..Self::default()
            },
            None => Self::default(),
        }
    }

    /// First and last day of the card, and the day from which its PKI works.
    pub(crate) fn life(&self) -> Result<Life, IssueError> {
        let default = || if self.seed.is_some() { SEEDED_ISSUE_DATE } else { Date::today() };
        let issued = self.issued.unwrap_or_else(default);
        if !(FIRST_YEAR..=LAST_YEAR).contains(&issued.year()) {
            return Err(IssueError::IssuedOutOfRange(issued));
        }
        if let Some(life) = self.broken.and_then(|fault| fault.life(issued, MAX_LIFE)) {
            return Ok(life);
        }
        let latest = issued.last_day_of(MAX_LIFE);
        let expires = self.expires.unwrap_or(latest);
        if expires < issued {
            return Err(IssueError::ExpiresBeforeIssued { issued, expires });
        }
        if expires > latest {
            return Err(IssueError::LifeTooLong { issued, expires, latest });
        }
        Ok(Life { issued, expires, pki_from: issued })
    }

    /// The PIN as the card compares it: padded with `FF`.
    pub(crate) fn padded_pin(&self) -> Result<Zeroizing<[u8; reference::LENGTH]>, IssueError> {
        padded_pin(&self.pin)
    }

    /// The PUK's eight bytes.
    pub(crate) fn puk_bytes(&self) -> Result<Zeroizing<[u8; reference::LENGTH]>, IssueError> {
        puk_bytes(&self.puk)
    }

    /// The form of the card.
    pub(crate) fn shape(&self) -> &'static Shape {
        self.like.map_or(&like::OWN, |likeness| &likeness.shape)
    }

    /// Algorithm of the PKI behind the card.
    pub(crate) fn chosen_pki_algorithm(&self) -> AsymmetricAlgorithm {
        // A content signer signs the key of secure messaging too, unless an intermediate key does.
        let direct = self.features.secure_messaging.filter(|secure| !secure.intermediate);
        self.pki_algorithm.unwrap_or(match (direct, self.algorithm) {
            (Some(secure), _) => secure.suite.curve(),
            (None, AsymmetricAlgorithm::EccP384) => AsymmetricAlgorithm::EccP384,
            _ => AsymmetricAlgorithm::EccP256,
        })
    }
}

/// A PIN as cards compare it: padded with `FF`.
pub(crate) fn padded_pin(pin: &str) -> Result<Zeroizing<[u8; reference::LENGTH]>, IssueError> {
    reference::pad_pin(pin).ok_or(IssueError::Pin)
}

/// A PUK's eight bytes.
pub(crate) fn puk_bytes(puk: &str) -> Result<Zeroizing<[u8; reference::LENGTH]>, IssueError> {
    let printable = puk.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_control());
    let bytes = puk.as_bytes().try_into().map_err(|_| IssueError::Puk)?;
    if printable { Ok(Zeroizing::new(bytes)) } else { Err(IssueError::Puk) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(issued: &str, expires: Option<&str>) -> Result<(Date, Date), IssueError> {
        let day = |text: &str| text.parse::<Date>().unwrap();
        let life =
            Request { issued: Some(day(issued)), expires: expires.map(day), ..Request::default() }.life()?;
        Ok((life.issued, life.expires))
    }

    #[test]
    fn a_card_lives_six_years_at_most() {
        let text = |issued, expires| life(issued, expires).unwrap().1.to_string();
        assert_eq!(text("2026-01-01", None), "2031-12-31");
        assert_eq!(text("2026-01-01", Some("2031-12-31")), "2031-12-31");
        assert_eq!(text("2026-01-01", Some("2026-01-01")), "2026-01-01");
        let error = life("2026-01-01", Some("2032-01-01")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a card issued on 2026-01-01 may expire on 2031-12-31 at the latest, not on 2032-01-01: \
             six years are the limit (FIPS 201-3, 2.8)"
        );
    }

    #[test]
    fn dates_out_of_order_or_range_are_refused() {
        let error = life("2026-01-02", Some("2026-01-01")).unwrap_err();
        assert!(matches!(error, IssueError::ExpiresBeforeIssued { .. }));
        for day in ["1979-12-31", "2100-01-01"] {
            assert!(matches!(life(day, None), Err(IssueError::IssuedOutOfRange(_))), "{day}");
        }
        assert!(life("1980-01-01", None).is_ok() && life("2099-12-31", None).is_ok());
    }

    #[test]
    fn without_dates_a_seed_decides() {
        let seeded = Request { seed: Some(7), ..Request::default() };
        assert_eq!(seeded.life().unwrap().issued, SEEDED_ISSUE_DATE);
        let before = Date::today();
        let issued = Request::default().life().unwrap().issued;
        assert!((before..=Date::today()).contains(&issued), "{issued}");
    }

    #[test]
    fn pins_and_puks_have_the_forms_of_the_standard() {
        let pin = |pin: &str| {
            Request { pin: Zeroizing::new(pin.to_owned()), ..Request::default() }.padded_pin().map(|pin| *pin)
        };
        assert_eq!(pin("123456").unwrap(), *b"123456\xFF\xFF");
        assert_eq!(pin("12345678").unwrap(), *b"12345678");
        for wrong in ["", "12345", "123456789", "12345a", "１２３４５６", " 123456"] {
            assert!(matches!(pin(wrong), Err(IssueError::Pin)), "{wrong}");
        }
        let puk = |puk: &str| {
            Request { puk: Zeroizing::new(puk.to_owned()), ..Request::default() }.puk_bytes().map(|puk| *puk)
        };
        assert_eq!(puk("12345678").unwrap(), *b"12345678");
        assert_eq!(puk("aB3 -_#z").unwrap(), *b"aB3 -_#z");
        for wrong in ["", "1234567", "123456789", "1234567\n", "123456ä"] {
            assert!(matches!(puk(wrong), Err(IssueError::Puk)), "{wrong}");
        }
    }
}
