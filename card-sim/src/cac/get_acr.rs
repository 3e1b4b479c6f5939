//! GET ACR (GSC-IS 2.1, 5.3.3.5): what the access control applet says of who may do what. Everybody may ask.
//!
//! The answers are computed from the tables by which the card decides. Not here: access method providers (P1 20) and the extended
//! forms (40, 41, 50 to 52, 60, 61), whose contents no public document describes.

use heapless::{Vec, VecView};

use super::{
    State,
    applet::Applet,
    container::ObjectId,
    get_properties::{applet_information, element},
    instruction,
    stock::Applets,
};
use crate::{
    piv::Context,
    platform::Platform,
    refusal::{Refusal, rules},
    security::AccessRule,
};

mod tag {
    pub(super) const APPLET: u8 = 0x80;
    pub(super) const NUMBER_OF_APPLETS: u8 = 0x81;
    pub(super) const OBJECT: u8 = 0x82;
    pub(super) const NAME: u8 = 0x92;
    pub(super) const SERVICE_APPLET: u8 = 0x93;
    pub(super) const NUMBER_OF_SERVICE_APPLETS: u8 = 0x94;
    pub(super) const RULE: u8 = 0xA0;
    pub(super) const NUMBER_OF_RULES: u8 = 0xA1;
}

/// Identifiers of access control rules, which are also their types.
mod acr {
    pub(super) const ALWAYS: u8 = 0x00;
    pub(super) const NEVER: u8 = 0x01;
    pub(super) const SECURE_CHANNEL: u8 = 0x04;
    pub(super) const PIN: u8 = 0x06;
}

/// Each rule: identifier, type, number of access methods, and per method its provider and key.
const RULES: [&[u8]; 4] = [
    &[acr::ALWAYS, 0x00, 0],
    &[acr::NEVER, 0x01, 0],
    &[acr::SECURE_CHANNEL, 0x04, 1, 0x1F, 0x21],
    &[acr::PIN, 0x06, 1, 0x1E, 0x00],
];

/// In the list of an applet's objects: the applet itself.
const APPLET_ITSELF: [u8; 2] = [0xFF, 0xFF];

/// Nothing but the instruction selects a rule; or its first data byte does too.
const BY_INSTRUCTION: u8 = 0x00;
const BY_FIRST_DATA_BYTE: u8 = 0x04;

/// The T buffer, as READ BUFFER names it.
const TAGS: u8 = 0x01;

/// Answers with the table, or the row of it, that P1 names.
pub(super) fn run<P: Platform>(
    context: &mut Context<'_, P>,
    state: &State,
    command: &apdu::Command<'_>,
) -> Result<(), Refusal> {
    if !state.applet.is_access_control() {
        return Err(rules::CAC_INSTRUCTION.refuse());
    }
    let stock = context.profile.cac.map_or(Applets::All, |stock| stock.applets);
    let response = &mut *context.response;
    applet_information(state.applet, response)?;
    match (command.p1, command.p2, command.data) {
        (0x00, 0x00, []) => rules_where(|_| true, response),
        (0x01, 0x00, [wanted]) => rules_where(|rule| rule.first() == Some(wanted), response),
        (0x10, 0x00, []) => applets_where(stock, |_| true, response),
        (0x11, 0x00, name) => applets_where(stock, |applet| applet.aid == *name, response),
        (0x12, 0x00, name) => applets_where(
            stock,
            |applet| applet.objects.iter().any(|id| id.get().to_be_bytes() == *name),
            response,
        ),
        (0x21, 0x00, []) => service_applets(stock, response),
        _ => Err(rules::CAC_P1P2.refuse()),
    }
}

fn rules_where(wanted: impl Fn(&[u8]) -> bool, response: &mut VecView<u8>) -> Result<(), Refusal> {
    let rules = || RULES.into_iter().filter(|rule| wanted(rule));
    count(tag::NUMBER_OF_RULES, rules().count(), response)?;
    rules().try_for_each(|rule| element(tag::RULE, rule, response))
}

fn applets_where(
    stock: Applets,
    wanted: impl Fn(&Applet) -> bool,
    response: &mut VecView<u8>,
) -> Result<(), Refusal> {
    let applets = || Applet::of(stock).filter(|applet| wanted(applet));
    count(tag::NUMBER_OF_APPLETS, applets().count(), response)?;
    for applet in applets() {
        let mut row = Vec::<u8, 96>::new();
        let objects = u8::try_from(applet.objects.len()).unwrap_or(u8::MAX).saturating_add(1);
        row.extend_from_slice(&[applet.id, objects])?;
        for object in applet.objects {
            object_rules(applet, *object, &mut row)?;
        }
        let mut itself = Vec::<u8, 8>::new();
        itself.extend_from_slice(&APPLET_ITSELF)?;
        for instruction in [instruction::VERIFY, instruction::GET_CHALLENGE] {
            itself.extend_from_slice(&[instruction, BY_INSTRUCTION, acr::ALWAYS])?;
        }
        element(tag::OBJECT, &itself, &mut row)?;
        element(tag::APPLET, &row, response)?;
    }
    Ok(())
}

/// Which rule each command has that works on this object.
fn object_rules(applet: &Applet, object: ObjectId, row: &mut VecView<u8>) -> Result<(), Refusal> {
    let mut entry = Vec::<u8, 16>::new();
    entry.extend_from_slice(&object.get().to_be_bytes())?;
    entry.extend_from_slice(&[instruction::UPDATE_BUFFER, BY_INSTRUCTION, acr::SECURE_CHANNEL])?;
    if object.container().read == AccessRule::Always {
        entry.extend_from_slice(&[instruction::READ_BUFFER, BY_INSTRUCTION, acr::ALWAYS])?;
    } else {
        entry.extend_from_slice(&[instruction::READ_BUFFER, BY_FIRST_DATA_BYTE, TAGS, acr::ALWAYS])?;
        entry.extend_from_slice(&[instruction::READ_BUFFER, BY_INSTRUCTION, acr::PIN])?;
    }
    if applet.key.is_some() {
        entry.extend_from_slice(&[instruction::PRIVATE_SIGN_DECRYPT, BY_INSTRUCTION, acr::PIN])?;
    }
    element(tag::OBJECT, &entry, row)
}

fn service_applets(stock: Applets, response: &mut VecView<u8>) -> Result<(), Refusal> {
    count(tag::NUMBER_OF_SERVICE_APPLETS, Applet::of(stock).count(), response)?;
    for applet in Applet::of(stock) {
        let mut row = Vec::<u8, 10>::new();
        row.extend_from_slice(&[applet.id])?;
        element(tag::NAME, &applet.aid, &mut row)?;
        element(tag::SERVICE_APPLET, &row, response)?;
    }
    Ok(())
}

/// Appends the number of rows that follow; none is a row that was asked for and is not there.
fn count(tag: u8, rows: usize, response: &mut VecView<u8>) -> Result<(), Refusal> {
    if rows == 0 {
        return Err(rules::CAC_ACR.refuse());
    }
    element(tag, &[u8::try_from(rows).unwrap_or(u8::MAX)], response)
}
