//! The CAC side of a Common Access Card, read back from its containers.

use apdu::tlv_simple::{Header, Order};
use card_sim::{
    cac::{self, BufferForm, Container, ObjectId},
    security::AccessRule,
};
use serde::Serialize;

use super::report::{Date, Problem, Tag};

/// What lies in the CAC containers of a card.
#[derive(Clone, Debug)]
pub struct CacContents {
    /// The containers that were filled: T buffer, then V buffer.
    pub containers: Vec<(ObjectId, Vec<u8>)>,
    /// The PIV Authentication certificate and its key are not activated.
    pub piv_authentication_hidden: bool,
    /// Whoever looks has verified the PIN, and may see what is behind it.
    pub pin_verified: bool,
}

/// The CAC side in the report.
#[derive(Clone, Debug, Serialize)]
pub struct CommonAccessEntry {
    /// Whether programs see the PIV Authentication certificate, on a card that has PIV too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub piv_authentication: Option<PivAuthentication>,
    /// The holder's DoD identification number, from Person Instance.
    pub edipi: Option<String>,
    /// Day of issue, from Person Instance.
    pub issued: Option<Date>,
    /// Last day, from Person Instance.
    pub expires: Option<Date>,
    /// The names of the containers whose values the card tells nobody without the PIN, and which therefore are not here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<&'static str>,
    /// The containers.
    pub containers: Vec<ContainerEntry>,
}

/// Whether the PIV Authentication certificate is activated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PivAuthentication {
    /// It is, and clients see four certificates.
    Active,
    /// It is not, and clients see three.
    Hidden,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ContainerEntry {
    /// Its name in hex.
    pub id: String,
    /// What clients call it.
    pub name: &'static str,
    /// Length of both buffers in bytes.
    pub length: usize,
}

/// Reads the containers of a card that has PIV too, or has not.
pub(super) fn read(contents: &CacContents, has_piv: bool, problems: &mut Vec<Problem>) -> CommonAccessEntry {
    let mut person = Vec::new();
    for (id, record) in &contents.containers {
        let elements = match row(*id).map(|row| row.form) {
            Some(BufferForm::Opaque) => cac::split(record).map(|_| Vec::new()),
            _ => elements(record),
        };
        match elements {
            Some(elements) if *id == ObjectId::PERSON => person = elements,
            Some(_) => {}
            None => problems.push(Problem {
                tag: Tag(u32::from(id.get())),
                object: name(*id),
                problem: "the T and V buffers of this CAC container do not fit together".to_owned(),
            }),
        }
    }
    let hidden: Vec<_> = contents
        .containers
        .iter()
        .filter_map(|(id, _)| row(*id))
        .filter(|row| !contents.pin_verified && row.read != AccessRule::Always)
        .map(|row| row.name)
        .collect();
    if !hidden.is_empty() {
        person.clear();
    }
    let value = |tag| person.iter().find(|(found, _)| *found == tag).map(|(_, value)| *value);
    CommonAccessEntry {
        piv_authentication: has_piv.then_some(if contents.piv_authentication_hidden {
            PivAuthentication::Hidden
        } else {
            PivAuthentication::Active
        }),
        edipi: value(0x17).map(|edipi| String::from_utf8_lossy(edipi).into_owned()),
        issued: value(0x62).and_then(Date::from_compact),
        expires: value(0x63).and_then(Date::from_compact),
        hidden,
        containers: contents
            .containers
            .iter()
            .map(|(id, record)| ContainerEntry {
                id: format!("{:04X}", id.get()),
                name: name(*id),
                length: record.len(),
            })
            .collect(),
    }
}

fn name(id: ObjectId) -> &'static str {
    row(id).map_or("", |row| row.name)
}

fn row(id: ObjectId) -> Option<&'static Container> {
    cac::CONTAINERS.iter().find(|container| container.id == id)
}

/// Tags with values; `None` if the buffers do not fit together.
pub(crate) fn elements(record: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let (tags, values) = cac::split(record)?;
    // Each begins with its length.
    let (mut tags, mut values) = (tags.get(2..)?, values.get(2..)?);
    let mut elements = Vec::new();
    while !tags.is_empty() {
        let (header, rest) = Header::split(tags, Order::Little).ok()?;
        let (value, others) = values.split_at_checked(usize::from(header.length))?;
        elements.push((header.tag, value));
        (tags, values) = (rest, others);
    }
    values.is_empty().then_some(elements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_pin_nobody_learns_what_is_behind_it() {
        let person = [0x02, 0x00, 0x17, 0x02, 0x02, 0x00, b'1', b'2'].to_vec();
        let empty = vec![0x00; 4];
        let containers = vec![(ObjectId::PERSON, person), (ObjectId::PKI_CERTIFICATE, empty)];
        for (pin_verified, edipi, hidden) in
            [(true, Some("12"), &[][..]), (false, None, &["Person Instance"])]
        {
            let contents = CacContents {
                containers: containers.clone(),
                piv_authentication_hidden: false,
                pin_verified,
            };
            let entry = read(&contents, false, &mut Vec::new());
            assert_eq!(entry.piv_authentication, None);
            assert_eq!((entry.edipi.as_deref(), &entry.hidden[..]), (edipi, hidden));
            assert_eq!(entry.containers.len(), 2);
        }
    }

    #[test]
    fn containers_whose_buffers_do_not_fit_are_a_problem() {
        let good = [0x02, 0x00, 0x17, 0x02, 0x02, 0x00, b'1', b'2'];
        assert_eq!(elements(&good), Some(vec![(0x17, &b"12"[..])]));
        let mut short = good;
        short[3] = 0x01;
        let mut long = good;
        long[3] = 0x03;
        for bad in [short, long] {
            let contents = CacContents {
                containers: vec![(ObjectId::PERSON, bad.to_vec())],
                piv_authentication_hidden: true,
                pin_verified: true,
            };
            let mut problems = Vec::new();
            let entry = read(&contents, true, &mut problems);
            assert_eq!((entry.edipi, problems.len()), (None, 1));
            assert_eq!(entry.piv_authentication, Some(PivAuthentication::Hidden));
        }
    }
}
