//! The applets of this face: names, the numbers that ACR tables give them, their objects and keys.
//!
//! Names as the DoD assigns them; objects, buffers and numbers as on the cards whose tables are public.

use crate::{
    cac::{Applets, ObjectId},
    key::KeyReference,
};

/// The RID of the DoD.
const DOD: [u8; 5] = [0xA0, 0x00, 0x00, 0x00, 0x79];
/// The RID of GSC-IS.
const GSC_IS: [u8; 5] = [0xA0, 0x00, 0x00, 0x01, 0x16];

/// Fewest bytes by which an applet can be named: its RID.
const SHORTEST_NAME: usize = 5;

/// One applet.
#[derive(Debug)]
pub(crate) struct Applet {
    /// Its application identifier.
    pub(super) aid: [u8; 7],
    /// Its number in ACR tables.
    pub(super) id: u8,
    /// Its family and version.
    pub(super) version: [u8; 5],
    /// Its objects. The first one is selected with the applet.
    pub(super) objects: &'static [ObjectId],
    /// Its key, if it is a PKI applet.
    pub(super) key: Option<AppletKey>,
}

/// Family and version of most applets, and of two others.
const VERSION: [u8; 5] = [0x10, 0x02, 0x06, 0x02, 0x03];
const VERSION_OF_ACA: [u8; 5] = [0x10, 0x02, 0x06, 0x02, 0x02];
const VERSION_OF_GENERIC: [u8; 5] = [0x10, 0x02, 0x06, 0x01, 0x00];

/// Where the key of a PKI applet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AppletKey {
    /// A key that PIV does not know.
    Identity,
    /// A key of the PIV application.
    Piv(KeyReference),
}

/// The card capability container.
pub(super) static CCC: Applet = applet(GSC_IS, 0xDB00, 0x4F, &[ObjectId::CCC]);

/// The access control applet.
pub(super) static ACA: Applet = Applet { version: VERSION_OF_ACA, ..applet(DOD, 0x0300, 0x1F, &[]) };

/// The same under the name that it has on alternate tokens.
static ALTERNATE_ACA: Applet = Applet { version: VERSION_OF_ACA, ..applet(DOD, 0x1000, ACA.id, &[]) };

static IDENTITY: Applet = pki(0x0100, 0x61, &[ObjectId::IDENTITY], AppletKey::Identity);
static SIGNATURE: Applet =
    pki(0x0101, 0x62, &[ObjectId::SIGNATURE], AppletKey::Piv(KeyReference::DigitalSignature));
static ENCRYPTION: Applet =
    pki(0x0102, 0x63, &[ObjectId::ENCRYPTION], AppletKey::Piv(KeyReference::KeyManagement));

static PERSON: Applet = applet(DOD, 0x0200, 0x41, &[ObjectId::PERSON]);
static PERSONNEL: Applet = applet(DOD, 0x0201, 0x42, &[ObjectId::PERSONNEL]);
static BENEFITS: Applet = applet(DOD, 0x0202, 0x43, &[ObjectId::BENEFITS]);
static OTHER_BENEFITS: Applet = applet(DOD, 0x0203, 0x46, &[ObjectId::OTHER_BENEFITS]);
static PKI_CREDENTIAL: Applet = applet(DOD, 0x02FD, 0x4D, &[ObjectId::PKI_CREDENTIAL]);
static PKI_CERTIFICATE: Applet = applet(DOD, 0x02FE, 0x4E, &[ObjectId::PKI_CERTIFICATE]);
static GENERIC: Applet =
    Applet { version: VERSION_OF_GENERIC, ..applet(DOD, 0x02FB, 0x4B, &[ObjectId::GENERIC]) };
static SYMMETRIC: [Applet; 3] =
    [applet(DOD, 0x02F0, 0x51, &[]), applet(DOD, 0x02F1, 0x52, &[]), applet(DOD, 0x02F2, 0x50, &[])];
static EMPTY: [Applet; 2] =
    [applet(DOD, 0x1201, 0x44, &[ObjectId::EMPTY_1]), applet(DOD, 0x1202, 0x45, &[ObjectId::EMPTY_2])];
static TRANSITIONAL: Applet = applet(GSC_IS, 0x3000, 0x40, &ObjectId::TRANSITIONAL);

/// Every applet. An incomplete name means the first that it fits.
static ALL: [&Applet; 17] = [
    &CCC,
    &IDENTITY,
    &SIGNATURE,
    &ENCRYPTION,
    &PERSON,
    &PERSONNEL,
    &BENEFITS,
    &OTHER_BENEFITS,
    &PKI_CREDENTIAL,
    &PKI_CERTIFICATE,
    &GENERIC,
    &SYMMETRIC[0],
    &SYMMETRIC[1],
    &SYMMETRIC[2],
    &EMPTY[0],
    &EMPTY[1],
    &TRANSITIONAL,
];

impl Applet {
    /// The applet of a stock with this name, or with a name that begins so.
    pub(super) fn named(name: &[u8], stock: Applets) -> Option<&'static Self> {
        let long_enough = name.len() >= SHORTEST_NAME;
        let access_control = match stock {
            Applets::All => &ACA,
            Applets::Alternate => &ALTERNATE_ACA,
        };
        Self::of(stock).chain([access_control]).find(|applet| long_enough && applet.aid.starts_with(name))
    }

    /// The applets of a stock, without the one that tells of them.
    pub(super) fn of(stock: Applets) -> impl Iterator<Item = &'static Self> {
        ALL.into_iter().filter(move |applet| stock == Applets::All || applet.key.is_some())
    }

    /// Whether this is the access control applet.
    pub(super) fn is_access_control(&self) -> bool {
        self.id == ACA.id
    }
}

const fn applet(rid: [u8; 5], name: u16, id: u8, objects: &'static [ObjectId]) -> Applet {
    let [high, low] = name.to_be_bytes();
    let aid = [rid[0], rid[1], rid[2], rid[3], rid[4], high, low];
    Applet { aid, id, version: VERSION, objects, key: None }
}

const fn pki(name: u16, id: u8, objects: &'static [ObjectId], key: AppletKey) -> Applet {
    Applet { key: Some(key), ..applet(DOD, name, id, objects) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cac::CONTAINERS;

    #[test]
    fn names_and_numbers_are_distinct_and_every_container_has_one_applet() {
        let all = || ALL.into_iter().chain([&ACA]);
        for applet in all() {
            assert_eq!(all().filter(|other| other.id == applet.id).count(), 1, "{applet:?}");
            assert_eq!(Applet::named(&applet.aid, Applets::All).map(|found| found.id), Some(applet.id));
        }
        for container in &CONTAINERS {
            let homes = all().filter(|applet| applet.objects.contains(&container.id)).count();
            assert_eq!(homes, 1, "{container:?}");
        }
    }

    #[test]
    fn incomplete_names_fit_from_the_rid_on() {
        assert_eq!(Applet::named(&DOD, Applets::All).map(|applet| applet.id), Some(IDENTITY.id));
        assert_eq!(Applet::named(&GSC_IS, Applets::All).map(|applet| applet.id), Some(CCC.id));
        assert!(Applet::named(&DOD[..4], Applets::All).is_none());
        assert!(Applet::named(&[0xA0, 0x00, 0x00, 0x00, 0x79, 0x01, 0x00, 0x00], Applets::All).is_none());
    }
}
