//! By what a card is known, from the day it leaves its maker to its last.

use std::{fmt, str::FromStr};

use apdu::tlv_ber::Reader;

use super::{CardClient, ClientError, Line};

/// Tags of the objects, and of the elements in them.
const CCC: u32 = 0x5F_C107;
const CARD_IDENTIFIER: u32 = 0xF0;
const CHUID: u32 = 0x5F_C102;
const GUID: u32 = 0x34;

/// What names a card.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CardIdentity {
    /// The serial number of a YubiKey.
    Serial(u32),
    /// The card identifier in the Card Capability Container (SP 800-73-5 part 1, table 8): RID, maker, type, 14 bytes.
    CardIdentifier(Vec<u8>),
    /// The GUID of the CHUID, for cards with nothing else.
    Guid([u8; 16]),
}

impl fmt::Display for CardIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial(number) => write!(f, "yubikey:{number}"),
            Self::CardIdentifier(bytes) => write!(f, "ccc:{}", hex::encode_upper(bytes)),
            Self::Guid(bytes) => write!(f, "guid:{}", hex::encode_upper(bytes)),
        }
    }
}

impl FromStr for CardIdentity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = || format!("'{text}' names no card; write yubikey:NUMBER, ccc:HEX or guid:HEX");
        let (kind, value) = text.split_once(':').ok_or_else(error)?;
        let bytes = || hex::decode(value).map_err(|_| error());
        match kind {
            "yubikey" => value.parse().map(Self::Serial).map_err(|_| error()),
            "ccc" => bytes().map(Self::CardIdentifier),
            "guid" => bytes()?.try_into().map(Self::Guid).map_err(|_| error()),
            _ => Err(error()),
        }
    }
}

impl CardIdentity {
    /// Selects the PIV application and reads what names the card.
    pub fn read(line: &mut Line<'_>) -> Result<Self, ClientError> {
        CardClient::plain(line)?.identity()
    }
}

impl CardClient<'_, '_> {
    /// Reads what names the card: a YubiKey's serial number, else the card identifier, else the GUID.
    pub fn identity(&mut self) -> Result<CardIdentity, ClientError> {
        // GET SERIAL; cards that are no YubiKeys do not know it.
        let serial = self.send([0x00, 0xF8, 0x00, 0x00], &[])?;
        if let (true, Ok(number)) = (serial.is_success(), <[u8; 4]>::try_from(&serial.data[..])) {
            return Ok(CardIdentity::Serial(u32::from_be_bytes(number)));
        }
        if let Some(identifier) = self.element(CCC, CARD_IDENTIFIER)? {
            return Ok(CardIdentity::CardIdentifier(identifier));
        }
        match self.element(CHUID, GUID)?.map(<[u8; 16]>::try_from) {
            Some(Ok(guid)) if guid != [0; 16] => Ok(CardIdentity::Guid(guid)),
            _ => Err(ClientError::Nameless),
        }
    }

    /// One element of an object, unless it is not there or empty.
    pub fn element(&mut self, object: u32, tag: u32) -> Result<Option<Vec<u8>>, ClientError> {
        let Some(contents) = self.read(object)? else { return Ok(None) };
        let mut reader = Reader::single_byte_tags(&contents);
        while let Ok(Some(found)) = reader.next() {
            if found.tag.number() == tag && !found.value.is_empty() {
                return Ok(Some(found.value.to_vec()));
            }
        }
        Ok(None)
    }
}
