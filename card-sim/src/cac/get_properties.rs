//! GET PROPERTIES (GSC-IS 2.1, 5.3.3): what the selected applet is and which objects it has.
//!
//! | tag | contents |
//! |---|---|
//! | 01 | family and version of the applet |
//! | 40 | number of objects |
//! | 50 | an object: 41 its name, 42 the lengths of its buffers, and on stocks that pad 43 |
//! | 51 | a PKI object: the same, and in 43 algorithm, size and halves of its key |

use apdu::tlv_simple::{Header, Order};
use heapless::{Vec, VecView};

use super::{
    State,
    applet::{Applet, AppletKey},
    container::{self, ObjectId},
    stock::PropertiesEntry,
};
use crate::{
    key,
    piv::Context,
    platform::Platform,
    refusal::{Refusal, rules},
    store::Store,
};

mod tag {
    pub(super) const APPLET_INFORMATION: u8 = 0x01;
    pub(super) const NUMBER_OF_OBJECTS: u8 = 0x40;
    pub(super) const OBJECT: u8 = 0x50;
    pub(super) const PKI_OBJECT: u8 = 0x51;
    pub(super) const OBJECT_ID: u8 = 0x41;
    pub(super) const BUFFERS: u8 = 0x42;
    pub(super) const KEY: u8 = 0x43;

    /// Every tag that a reader may ask for.
    pub(super) const ALL: [u8; 4] = [APPLET_INFORMATION, NUMBER_OF_OBJECTS, OBJECT, PKI_OBJECT];
}

/// RSA, as tag 43 names it.
const RSA: u8 = 0x06;

/// Answers with all properties (P1 01) or with those whose tags the data field lists (P1 02).
pub(super) fn run<P: Platform>(
    context: &mut Context<'_, P>,
    state: &State,
    command: &apdu::Command<'_>,
) -> Result<(), Refusal> {
    let wanted = match (command.p1, command.p2) {
        (0x01, 0x00) => &tag::ALL[..],
        (0x02, 0x00) if command.data.iter().all(|wanted| tag::ALL.contains(wanted)) => command.data,
        (0x02, 0x00) => return Err(rules::CAC_PROPERTY.refuse()),
        _ => return Err(rules::CAC_P1P2.refuse()),
    };
    let objects = state.applet.objects;
    if wanted.contains(&tag::APPLET_INFORMATION) {
        applet_information(state.applet, context.response)?;
    }
    if wanted.contains(&tag::NUMBER_OF_OBJECTS) {
        let count = u8::try_from(objects.len()).unwrap_or(u8::MAX);
        element(tag::NUMBER_OF_OBJECTS, &[count], context.response)?;
    }
    for object in objects {
        let (tag, entry) = entry(context, state, *object)?;
        if wanted.contains(&tag) {
            element(tag, &entry, context.response)?;
        }
    }
    Ok(())
}

/// Appends family and version of an applet.
pub(super) fn applet_information(applet: &Applet, response: &mut VecView<u8>) -> Result<(), Refusal> {
    element(tag::APPLET_INFORMATION, &applet.version, response)
}

/// What is said of an object, with its tag.
fn entry<P: Platform>(
    context: &mut Context<'_, P>,
    state: &State,
    object: ObjectId,
) -> Result<(u8, Vec<u8, 20>), Refusal> {
    let store = &context.platform.store;
    let lengths = container::lengths(store, object, context.response)?;
    let mut entry = Vec::<u8, 20>::new();
    element(tag::OBJECT_ID, &object.get().to_be_bytes(), &mut entry)?;
    let [tags, values] =
        [lengths.tags, lengths.values].map(|length| u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
    let form = object.container().form as u8;
    element(tag::BUFFERS, &[form, tags[0], tags[1], values[0], values[1]], &mut entry)?;
    if let Some(key) = state.applet.key {
        element(tag::KEY, &key_information(store, key)?, &mut entry)?;
        return Ok((tag::PKI_OBJECT, entry));
    }
    let padded = context.profile.cac.is_some_and(|stock| stock.properties == PropertiesEntry::Padded);
    if padded {
        element(tag::KEY, &[0; 4], &mut entry)?;
    }
    Ok((tag::OBJECT, entry))
}

/// Algorithm, length of the key in units of eight bytes, whether the private and the public half are there.
fn key_information(store: &impl Store, key: AppletKey) -> Result<[u8; 4], Refusal> {
    let key = match key {
        AppletKey::Identity => key::load_identity(store)?,
        AppletKey::Piv(reference) => key::load_private(store, reference)?.map(|(key, _)| key),
    };
    Ok(match key {
        Some(key) if key.algorithm().is_rsa() => {
            let size = u8::try_from(key.algorithm().size() / 8).unwrap_or(u8::MAX);
            [RSA, size, 0x01, 0x01]
        }
        _ => [RSA, 0x00, 0x00, 0x00],
    })
}

/// Appends one element.
pub(super) fn element(tag: u8, value: &[u8], out: &mut VecView<u8>) -> Result<(), Refusal> {
    let length = u16::try_from(value.len()).map_err(|_| rules::MEMORY_FULL.refuse())?;
    out.extend_from_slice(Header { tag, length }.encode(Order::Little).as_slice())?;
    out.extend_from_slice(value)?;
    Ok(())
}
