//! The containers of this face, and their two buffers.
//!
//! A container is a list of SIMPLE-TLV elements (GSC-IS 2.1, chapter 8), kept in two buffers: T has the tags and lengths, V has
//! the values in the same order. Each begins with its length without these two bytes, low byte first. The record of a container
//! is its T buffer followed by its V buffer. Three containers have the two buffers and another form inside.
//!
//! The access rules are those that public tables of real cards state. T buffers can always be read.

use heapless::VecView;

use crate::{
    refusal::{Refusal, rules},
    security::AccessRule,
    store::{Record, Store},
};

/// Name of an object: what SELECT takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId(u16);

/// One row of the container table.
#[derive(Clone, Copy, Debug)]
pub struct Container {
    /// Its name.
    pub id: ObjectId,
    /// What clients call it.
    pub name: &'static str,
    /// What its buffers hold.
    pub form: BufferForm,
    /// Who may read its values.
    pub read: AccessRule,
    /// The number of its record among those of containers; written to card files.
    pub(crate) record: u8,
}

/// What the buffers of a container hold, as GET PROPERTIES says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BufferForm {
    /// Tags and lengths in T, values in V: SIMPLE-TLV.
    SimpleTlv = 0x00,
    /// Something that only its owner reads.
    Opaque = 0x01,
}

impl ObjectId {
    /// Card capability container.
    pub const CCC: Self = Self(0xDB00);
    /// ID certificate.
    pub const IDENTITY: Self = Self(0x0100);
    /// E-mail signature certificate.
    pub const SIGNATURE: Self = Self(0x0101);
    /// E-mail encryption certificate.
    pub const ENCRYPTION: Self = Self(0x0102);
    /// Person Instance: name, EDIPI, dates.
    pub const PERSON: Self = Self(0x0200);
    /// Personnel: service, rank, pay grade.
    pub const PERSONNEL: Self = Self(0x0201);
    /// Benefits.
    pub const BENEFITS: Self = Self(0x0202);
    pub(super) const OTHER_BENEFITS: Self = Self(0x0203);
    pub(super) const GENERIC: Self = Self(0x02FB);
    /// Identifier and modulus of each PKI applet's key.
    pub const PKI_CREDENTIAL: Self = Self(0x02FD);
    /// The index of the PKI applets.
    pub const PKI_CERTIFICATE: Self = Self(0x02FE);
    pub(super) const EMPTY_1: Self = Self(0x1201);
    pub(super) const EMPTY_2: Self = Self(0x1202);
    /// CHUID, fingerprints, facial image, security object, as cards had them before they had the PIV application.
    pub const TRANSITIONAL: [Self; 4] = [Self(0x3000), Self(0x6010), Self(0x6030), Self(0x9000)];

    /// The object with this name, if this face has one.
    pub fn new(id: u16) -> Option<Self> {
        CONTAINERS.iter().map(|container| container.id).find(|found| found.0 == id)
    }

    /// The name as a number.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Whether it holds the certificate of a PKI applet.
    pub(super) const fn is_of_pki_applet(self) -> bool {
        matches!(self, Self::IDENTITY | Self::SIGNATURE | Self::ENCRYPTION)
    }

    /// Its row.
    pub(crate) fn container(self) -> &'static Container {
        // Every constant above has a row, which a test makes sure of.
        CONTAINERS.iter().find(|container| container.id == self).unwrap_or(&CCC)
    }
}

const CCC: Container = row(0x00, ObjectId::CCC, "Card Capability Container", AccessRule::Always);

/// The container table.
pub const CONTAINERS: [Container; 17] = {
    use AccessRule::{Always, Pin};
    const fn opaque(row: Container) -> Container {
        Container { form: BufferForm::Opaque, ..row }
    }
    let [chuid, fingerprints, face, security] = ObjectId::TRANSITIONAL;
    [
        CCC,
        row(0x01, ObjectId::IDENTITY, "ID Certificate", Always),
        row(0x02, ObjectId::SIGNATURE, "Email Signature Certificate", Always),
        row(0x03, ObjectId::ENCRYPTION, "Email Encryption Certificate", Always),
        row(0x04, ObjectId::PERSON, "Person Instance", Pin),
        row(0x05, ObjectId::PERSONNEL, "Personnel", Pin),
        row(0x06, ObjectId::BENEFITS, "Benefits", Pin),
        row(0x07, ObjectId::OTHER_BENEFITS, "Other Benefits", Pin),
        opaque(row(0x08, ObjectId::GENERIC, "Generic", Always)),
        opaque(row(0x09, ObjectId::PKI_CREDENTIAL, "PKI Credential", Pin)),
        opaque(row(0x0A, ObjectId::PKI_CERTIFICATE, "PKI Certificate", Always)),
        row(0x0B, ObjectId::EMPTY_1, "Empty 1201", Pin),
        row(0x0C, ObjectId::EMPTY_2, "Empty 1202", Pin),
        row(0x0D, chuid, "CHUID", Always),
        row(0x0E, fingerprints, "Fingerprints", Pin),
        row(0x0F, face, "Facial Image", Pin),
        row(0x10, security, "Security Object", Always),
    ]
};

const fn row(record: u8, id: ObjectId, name: &'static str, read: AccessRule) -> Container {
    Container { id, name, form: BufferForm::SimpleTlv, read, record }
}

/// Which of the two buffers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Buffer {
    /// T.
    Tags,
    /// V.
    Values,
}

/// The buffers of a container that was never filled.
const EMPTY: [u8; 4] = [0; 4];

/// T and V of a container's record; `None` if the lengths do not fit.
pub fn split(record: &[u8]) -> Option<(&[u8], &[u8])> {
    let (tags, values) = record.split_at_checked(buffer_length(record)?)?;
    (buffer_length(values)? == values.len()).then_some((tags, values))
}

/// Length of the buffer that begins here, with its prefix.
fn buffer_length(bytes: &[u8]) -> Option<usize> {
    let (prefix, _) = bytes.split_first_chunk()?;
    Some(usize::from(u16::from_le_bytes(*prefix)).saturating_add(2))
}

/// Leaves a container's buffer in `out`, which is empty before.
pub(super) fn read(
    store: &impl Store,
    object: ObjectId,
    buffer: Buffer,
    out: &mut VecView<u8>,
) -> Result<(), Refusal> {
    let tags = load(store, object, out)?.tags;
    match buffer {
        Buffer::Tags => out.truncate(tags),
        Buffer::Values => cut_front(out, tags),
    }
    Ok(())
}

/// Removes the first `count` bytes.
pub(super) fn cut_front(bytes: &mut VecView<u8>, count: usize) {
    let count = count.min(bytes.len());
    bytes.rotate_left(count);
    bytes.truncate(bytes.len().saturating_sub(count));
}

/// The lengths of both buffers of a container, with their prefixes. `out` is as it was.
pub(super) fn lengths(
    store: &impl Store,
    object: ObjectId,
    out: &mut VecView<u8>,
) -> Result<Lengths, Refusal> {
    let before = out.len();
    let lengths = load(store, object, out)?;
    out.truncate(before);
    Ok(lengths)
}

/// Lengths of the two buffers, with their prefixes.
pub(super) struct Lengths {
    pub(super) tags: usize,
    pub(super) values: usize,
}

/// Appends a container's record to `out`.
fn load(store: &impl Store, object: ObjectId, out: &mut VecView<u8>) -> Result<Lengths, Refusal> {
    let before = out.len();
    if !store.read(Record::CacContainer(object), out)? {
        out.extend_from_slice(&EMPTY)?;
    }
    let record = out.get(before..).unwrap_or_default();
    let (tags, values) = split(record).ok_or(rules::MEMORY_FAILURE.refuse())?;
    Ok(Lengths { tags: tags.len(), values: values.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_has_its_row() {
        for container in &CONTAINERS {
            assert_eq!(container.id.container().record, container.record);
            assert_eq!(ObjectId::new(container.id.get()), Some(container.id));
            assert_eq!(CONTAINERS.iter().filter(|other| other.record == container.record).count(), 1);
        }
        assert_eq!(ObjectId::new(0x0103), None);
    }

    #[test]
    fn a_record_is_two_buffers_and_nothing_else() {
        let record = [0x02, 0x00, 0x71, 0x01, 0x01, 0x00, 0x80];
        assert_eq!(split(&record), Some((&record[..4], &record[4..])));
        assert_eq!(split(&EMPTY), Some((&EMPTY[..2], &EMPTY[2..])));
        for wrong in [&record[..6], &[&record[..], &[0]].concat(), &[], &[0], &[0, 0], &[0xFF, 0xFF, 0, 0]] {
            assert_eq!(split(wrong), None, "{wrong:02X?}");
        }
    }
}
