//! The stock of a card that was read: a built-in one, or the description of one.
//!
//! A YubiKey is like the built-in one of its series with the latest firmware that is not later than its own. Cards with CAC
//! applets are like the Common Access Card with the same answer to reset, else like one with the same faces; others like `piv`.
//! What the card showed of itself comes before what the built-in stock says.

use apdu::tlv_ber::Reader;
use card_sim::{
    cac::{Applets, ObjectId},
    card::{COMMAND_CAPACITY, RESPONSE_CAPACITY},
    profile::{self, EmptyContainer, Profile, SelectAnswer, yubico::Version},
};

use super::{CloneError, LookAlike, Original};
use crate::{
    check::Found,
    stock::{Description, EMPTY_CONTAINER, SELECT_ANSWER, choice_name},
};

/// The lengths that a stock states which names none: those of this project's card.
const CAPACITIES: [u16; 2] = {
    assert!(COMMAND_CAPACITY <= 0xFFFF && RESPONSE_CAPACITY <= 0xFFFF);
    #[expect(clippy::cast_possible_truncation, reason = "asserted a line above")]
    [COMMAND_CAPACITY as u16, RESPONSE_CAPACITY as u16]
};

/// The stock of the card, with its description if it is none of the built-in ones.
pub fn stock(original: &Original) -> Result<(&'static Profile, Option<Description>), CloneError> {
    let like = likest(original).ok_or(CloneError::NoApplication)?;
    let description = describe(original, like);
    if description
        == (Description { name: description.name.clone(), like: like.name.into(), ..Description::default() })
    {
        return Ok((like, None));
    }
    Ok((description.profile()?, Some(description)))
}

/// The stock of a look-alike as a description, also if it is a built-in one: something to begin with.
pub fn describe_whole(card: &LookAlike) -> Description {
    card.stock.clone().unwrap_or_else(|| Description {
        name: format!("my-{}", card.profile.name),
        like: card.profile.name.into(),
        ..Description::default()
    })
}

/// The built-in stock that the card is most like.
fn likest(original: &Original) -> Option<&'static Profile> {
    let all = || profile::ALL.iter().copied();
    let same_atr = |profile: &&Profile| [profile.atr, profile.contactless_atr].contains(&&*original.atr);
    if let Some(yubikey) = &original.yubikey {
        let [major, minor, patch] = yubikey.version;
        let version = Version::new(major, minor, patch);
        let of_series = |profile: &&Profile| {
            let wanted = (yubikey.fips, yubikey.fingerprint);
            profile.yubico.is_some_and(|yubico| (yubico.fips, yubico.fingerprint) == wanted)
        };
        let versions =
            || all().filter(of_series).filter_map(|profile| Some((profile.yubico?.version, profile)));
        let not_later = versions().filter(|(found, _)| *found <= version).max_by_key(|(found, _)| *found);
        return not_later.or_else(|| versions().min_by_key(|(found, _)| *found)).map(|(_, profile)| profile);
    }
    let has_piv = original.selected.is_some();
    if original.has_common_access() {
        let has_ccc = original.containers.iter().any(|(id, _)| *id == ObjectId::CCC);
        let applets = if has_ccc { Applets::All } else { Applets::Alternate };
        let fits = |profile: &&Profile| profile.cac.is_some_and(|stock| stock.applets == applets);
        let cards = || all().filter(|profile| profile.has_piv() == has_piv).filter(fits);
        return cards().find(same_atr).or_else(|| cards().next());
    }
    if !has_piv {
        return None;
    }
    let cards = || all().filter(|profile| profile.cac.is_none() && profile.yubico.is_none());
    let same_label = |profile: &&Profile| label(original).as_deref() == Some(profile.label);
    cards().filter(same_atr).find(same_label).or_else(|| Profile::find("piv"))
}

/// In what the card differs from this stock.
fn describe(original: &Original, like: &'static Profile) -> Description {
    let atr = hex::encode_upper(&original.atr);
    let contactless = original.atr == like.contactless_atr || is_contactless(&original.atr);
    let known = [like.atr, like.contactless_atr].contains(&&*original.atr);
    let own_atr = |through_antenna| (!known && contactless == through_antenna).then(|| atr.clone());
    let select_answer =
        original.selected.as_deref().map(select_answer).filter(|found| *found != like.choices.select_answer);
    let empty = empty_container(original).filter(|found| *found != like.choices.empty_container);
    let full = select_answer.unwrap_or(like.choices.select_answer) == SelectAnswer::Full;
    let firmware =
        original.yubikey.as_ref().map(|yubikey| yubikey.version.map(|number| number.to_string()).join("."));
    Description {
        name: format!("clone-{}", original.digest()),
        like: like.name.into(),
        description: None,
        atr: own_atr(false),
        contactless_atr: own_atr(true),
        label: label(original).filter(|label| full && *label != like.label),
        stated_lengths: stated_lengths(original)
            .filter(|found| full && like.stated_lengths.unwrap_or(CAPACITIES) != *found),
        default_tries: original.pin_tries.filter(|tries| *tries > like.default_tries),
        empty_container: empty.and_then(|found| choice_name(&EMPTY_CONTAINER, found)),
        select_answer: select_answer.and_then(|found| choice_name(&SELECT_ANSWER, found)),
        firmware: firmware
            .filter(|found| like.yubico.is_none_or(|yubico| yubico.version.to_string() != *found)),
        ..Description::default()
    }
}

/// Whether a reader made up the answer to reset for a card at its antenna (PC/SC part 3, 3.1.3.2.3).
fn is_contactless(atr: &[u8]) -> bool {
    matches!(atr, [0x3B, format, 0x80, 0x01, ..] if format & 0xF0 == 0x80)
}

/// The values in the answer to SELECT: those of its template, and those behind it.
fn selected(original: &Original, template: u32, wanted: u32) -> Option<&[u8]> {
    let reader = Reader::new(original.selected.as_deref()?);
    let outer = reader.find(apdu::Tag::new(template)).ok()??;
    Reader::new(outer).find(apdu::Tag::new(wanted)).ok()?
}

fn label(original: &Original) -> Option<String> {
    let label = selected(original, 0x61, 0x50)?;
    String::from_utf8(label.to_vec()).ok().filter(|label| label.len() <= 16)
}

/// The two numbers of the extended-length information.
fn stated_lengths(original: &Original) -> Option<[u16; 2]> {
    let outer = Reader::new(original.selected.as_deref()?);
    let mut information = Reader::new(outer.find(apdu::Tag::new(0x7F66)).ok()??);
    let mut number = || {
        let element = information.next().ok()??;
        let bytes = element.value.iter().skip_while(|byte| **byte == 0).copied().collect::<Vec<_>>();
        match bytes.as_slice() {
            [low] => Some(u16::from(*low)),
            [high, low] => Some(u16::from_be_bytes([*high, *low])),
            _ => None,
        }
    };
    Some([number()?, number()?])
}

fn select_answer(selected: &[u8]) -> SelectAnswer {
    let template = Reader::new(selected).expect(apdu::Tag::new(0x61)).unwrap_or_default();
    let identifier = Reader::new(template).find(apdu::Tag::new(0x4F)).ok().flatten().unwrap_or_default();
    if identifier.starts_with(&[0xA0]) { SelectAnswer::Full } else { SelectAnswer::Short }
}

/// How an empty container reads. At the antenna most of them cannot be asked.
fn empty_container(original: &Original) -> Option<EmptyContainer> {
    if is_contactless(&original.atr) {
        return None;
    }
    let count = |wanted: fn(&Found) -> bool| original.objects.values().filter(|found| wanted(found)).count();
    let zero_length =
        count(|found| matches!(found, Found::Object(object) if object.as_slice() == [0x53, 0x00]));
    let not_found = count(|found| *found == Found::Refused(0x6A82));
    match (zero_length, not_found) {
        (0, 0) => None,
        (1.., _) => Some(EmptyContainer::ZeroLength),
        _ => Some(EmptyContainer::NotFound),
    }
}
