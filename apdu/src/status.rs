//! Status words: the two bytes SW1 SW2 that end every response.
//!
//! Follows ISO/IEC 7816-4:2020, 5.6, with a name for every word SP 800-73-5 part 2 lets a PIV
//! card send. The mapping between [`Status`] and the 16-bit word is total and canonical:
//! every word has exactly one `Status`, and converting it back gives the same word.

use core::fmt;

/// Declares [`Status`] and its three mappings from one table, so that they cannot drift apart.
///
/// A row of the table is `Name = word, "meaning";`. The four families that carry a number
/// (61xx, 63CX, 6Cxx and the rest) are written out in the macro's body.
macro_rules! status_table {
    ($($name:ident = $word:literal, $meaning:literal;)*) => {
        /// The outcome of a command, as the card reports it.
        ///
        /// ```
        /// use apdu::Status;
        ///
        /// assert_eq!(Status::from(0x63C2), Status::TriesLeft(2));
        /// assert_eq!(Status::TriesLeft(2).to_bytes(), [0x63, 0xC2]);
        /// ```
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        pub enum Status {
            $(
                #[doc = concat!("`", stringify!($word), "`: ", $meaning, ".")]
                $name,
            )*
            /// `61xx`: success, and `xx` more bytes wait for GET RESPONSE; `00` means 256 or
            /// more.
            MoreData(u8),
            /// `63CX`: verification failed, X tries are left (0 to 15). A larger number is
            /// written as 15, the most the word can say.
            TriesLeft(u8),
            /// `6Cxx`: the command's Le was wrong; `xx` bytes are available (`00` means 256).
            WrongLe(u8),
            /// Any word without a name here. Build it with `Status::from`, which never gives
            /// `Other` to a word that has a name.
            Other(u16),
        }

        impl Status {
            /// The status word, SW1 in the high byte.
            pub const fn to_u16(self) -> u16 {
                match self {
                    $(Self::$name => $word,)*
                    Self::MoreData(left) => u16::from_be_bytes([0x61, left]),
                    Self::TriesLeft(left) => {
                        let digit = if left > 0x0F { 0x0F } else { left };
                        u16::from_be_bytes([0x63, 0xC0 | digit])
                    }
                    Self::WrongLe(right) => u16::from_be_bytes([0x6C, right]),
                    Self::Other(word) => word,
                }
            }

            /// What the word means, where the meaning needs no number.
            const fn meaning(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some($meaning),)*
                    Self::MoreData(_) | Self::TriesLeft(_) | Self::WrongLe(_) | Self::Other(_) => {
                        None
                    }
                }
            }
        }

        impl From<u16> for Status {
            fn from(word: u16) -> Self {
                let [sw1, sw2] = word.to_be_bytes();
                match (word, sw1) {
                    $(($word, _) => Self::$name,)*
                    (_, 0x61) => Self::MoreData(sw2),
                    (0x63C0..=0x63CF, _) => Self::TriesLeft(sw2 & 0x0F),
                    (_, 0x6C) => Self::WrongLe(sw2),
                    _ => Self::Other(word),
                }
            }
        }
    };
}

status_table! {
    Ok                          = 0x9000, "success";
    VerificationFailed          = 0x6300, "verification failed";
    MemoryFailure               = 0x6581, "memory failure";
    WrongLength                 = 0x6700, "wrong length";
    LogicalChannelNotSupported  = 0x6881, "logical channel not supported";
    SecureMessagingNotSupported = 0x6882, "secure messaging not supported";
    LastCommandExpected         = 0x6883, "last command of the chain expected";
    ChainingNotSupported        = 0x6884, "command chaining not supported";
    SecurityStatusNotSatisfied  = 0x6982, "security status not satisfied";
    AuthenticationMethodBlocked = 0x6983, "authentication method blocked";
    ConditionsNotSatisfied      = 0x6985, "conditions of use not satisfied";
    SmObjectsMissing            = 0x6987, "secure messaging data objects missing";
    SmObjectsIncorrect          = 0x6988, "secure messaging data objects incorrect";
    IncorrectData               = 0x6A80, "incorrect parameter in the data field";
    FunctionNotSupported        = 0x6A81, "function not supported";
    NotFound                    = 0x6A82, "data object or application not found";
    NotEnoughMemory             = 0x6A84, "not enough memory";
    IncorrectP1P2               = 0x6A86, "incorrect parameter in P1 or P2";
    ReferenceNotFound           = 0x6A88, "referenced data or key reference not found";
    WrongP1P2                   = 0x6B00, "wrong P1 or P2";
    InstructionNotSupported     = 0x6D00, "instruction not supported";
    ClassNotSupported           = 0x6E00, "class not supported";
    NoDiagnosis                 = 0x6F00, "no precise diagnosis";
}

impl Status {
    /// The two bytes as they travel: SW1, SW2.
    pub const fn to_bytes(self) -> [u8; 2] {
        self.to_u16().to_be_bytes()
    }

    /// True for `9000` alone; `61xx` is [`Status::MoreData`], a success with a rest to fetch.
    pub const fn is_ok(self) -> bool {
        matches!(self, Self::Ok)
    }
}

impl From<Status> for u16 {
    fn from(status: Status) -> Self {
        status.to_u16()
    }
}

/// What ISO/IEC 7816-4, 5.6, says about a word that has no name of its own.
const fn family(word: u16) -> &'static str {
    match word.to_be_bytes() {
        [0x62, _] => "warning, memory unchanged",
        [0x63, _] => "warning, memory changed",
        [0x64, _] => "execution error, memory unchanged",
        [0x65, _] => "execution error, memory changed",
        [0x66, _] => "execution error, security issue",
        [0x67..=0x6F, _] => "checking error",
        [0x90..=0x9F, _] => "proprietary",
        _ => "not a status word",
    }
}

impl fmt::Display for Status {
    /// The word in hex and its meaning: `63C2 (verification failed, 2 tries left)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.to_u16();
        write!(f, "{word:04X} ")?;
        // Reading the word back makes `Other(0x9000)` print like `Ok`, and clamps the tries.
        match Self::from(word) {
            Self::MoreData(0) => f.write_str("(success, 256 bytes or more left)"),
            Self::MoreData(left) => write!(f, "(success, {left} bytes left)"),
            Self::TriesLeft(1) => f.write_str("(verification failed, 1 try left)"),
            Self::TriesLeft(left) => write!(f, "(verification failed, {left} tries left)"),
            Self::WrongLe(0) => f.write_str("(wrong Le, 256 bytes available)"),
            Self::WrongLe(right) => write!(f, "(wrong Le, {right} bytes available)"),
            named => write!(f, "({})", named.meaning().unwrap_or(family(word))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn every_word_round_trips() {
        for word in 0..=u16::MAX {
            let status = Status::from(word);
            assert_eq!(status.to_u16(), word);
            assert_eq!(Status::from(status.to_u16()), status);
            assert_eq!(status.to_bytes(), word.to_be_bytes());
        }
    }

    #[test]
    fn only_9000_is_ok() {
        let ok: std::vec::Vec<u16> = (0..=u16::MAX).filter(|&word| Status::from(word).is_ok()).collect();
        assert_eq!(ok, [0x9000]);
    }

    #[test]
    fn tries_are_clamped_to_one_digit() {
        assert_eq!(Status::TriesLeft(15).to_u16(), 0x63CF);
        assert_eq!(Status::TriesLeft(16).to_u16(), 0x63CF);
        assert_eq!(Status::TriesLeft(255).to_u16(), 0x63CF);
    }

    #[test]
    fn neighbours_of_the_families_keep_their_own_meaning() {
        for (word, status) in [
            (0x6300, Status::VerificationFailed),
            (0x63BF, Status::Other(0x63BF)),
            (0x63C0, Status::TriesLeft(0)),
            (0x63CF, Status::TriesLeft(15)),
            (0x63D0, Status::Other(0x63D0)),
            (0x60FF, Status::Other(0x60FF)),
            (0x6100, Status::MoreData(0)),
            (0x61FF, Status::MoreData(0xFF)),
            (0x6C00, Status::WrongLe(0)),
            (0x6D00, Status::InstructionNotSupported),
            (0x6D01, Status::Other(0x6D01)),
        ] {
            assert_eq!(Status::from(word), status, "{word:04X}");
        }
    }

    #[test]
    fn text_names_word_and_meaning() {
        for (status, text) in [
            (Status::Ok, "9000 (success)"),
            (Status::MoreData(0), "6100 (success, 256 bytes or more left)"),
            (Status::MoreData(35), "6123 (success, 35 bytes left)"),
            (Status::TriesLeft(2), "63C2 (verification failed, 2 tries left)"),
            (Status::TriesLeft(1), "63C1 (verification failed, 1 try left)"),
            (Status::TriesLeft(99), "63CF (verification failed, 15 tries left)"),
            (Status::WrongLe(8), "6C08 (wrong Le, 8 bytes available)"),
            (Status::WrongLe(0), "6C00 (wrong Le, 256 bytes available)"),
            (Status::NotFound, "6A82 (data object or application not found)"),
            (Status::Other(0x9000), "9000 (success)"),
            (Status::Other(0x6283), "6283 (warning, memory unchanged)"),
            (Status::Other(0x0000), "0000 (not a status word)"),
        ] {
            assert_eq!(status.to_string(), text);
        }
    }
}
