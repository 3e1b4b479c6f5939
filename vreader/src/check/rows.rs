//! The 489 rows of SP 800-85B, as data (`85b.tsv`).

use card_sim::object::CONTAINERS;

/// The table. Its first lines say where it is from.
const TABLE: &str = include_str!("85b.tsv");

/// One row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// Its number, for example `8.1.0.1`. Headings of the first levels have a short name behind it.
    pub(super) id: &'static str,
    /// What is asserted.
    pub(super) text: &'static str,
    /// Tag of the container that it is about.
    pub(super) container: Option<u32>,
    /// Name of the assertion, empty for headings.
    pub(super) atom: &'static str,
}

/// All rows, in the order of the table.
pub(super) fn rows() -> impl Iterator<Item = Row> {
    TABLE.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let mut columns = line.split('\t');
        let mut next = || columns.next().unwrap_or_default();
        let (id, text, container, _enabled, atom) = (next(), next(), next(), next(), next());
        Row { id: number(id), text, container: tag(container), atom }
    })
}

/// The number without the short name.
fn number(id: &'static str) -> &'static str {
    id.split(' ').next().unwrap_or(id)
}

/// The table names containers after their object identifiers.
fn tag(container: &str) -> Option<u32> {
    const NAMES: [(&str, u32); 15] = [
        ("CARD_CAPABILITY_CONTAINER_OID", 0x5F_C107),
        ("CARD_HOLDER_UNIQUE_IDENTIFIER_OID", 0x5F_C102),
        ("X509_CERTIFICATE_FOR_PIV_AUTHENTICATION_OID", 0x5F_C105),
        ("CARDHOLDER_FINGERPRINTS_OID", 0x5F_C103),
        ("SECURITY_OBJECT_OID", 0x5F_C106),
        ("CARDHOLDER_FACIAL_IMAGE_OID", 0x5F_C108),
        ("X509_CERTIFICATE_FOR_CARD_AUTHENTICATION_OID", 0x5F_C101),
        ("X509_CERTIFICATE_FOR_DIGITAL_SIGNATURE_OID", 0x5F_C10A),
        ("X509_CERTIFICATE_FOR_KEY_MANAGEMENT_OID", 0x5F_C10B),
        ("PRINTED_INFORMATION_OID", 0x5F_C109),
        ("DISCOVERY_OBJECT_OID", 0x7E),
        ("KEY_HISTORY_OBJECT_OID", 0x5F_C10C),
        ("CARDHOLDER_IRIS_IMAGES_OID", 0x5F_C121),
        ("RETIRED_X_509_CERTIFICATE_FOR_KEY_MANAGEMENT_1_OID", 0x5F_C10D),
        ("RETIRED_X_509_CERTIFICATE_FOR_KEY_MANAGEMENT_2_OID", 0x5F_C10E),
    ];
    NAMES.iter().find(|(name, _)| *name == container).map(|(_, tag)| *tag)
}

/// Name of a container in the standard.
pub(super) fn container_name(tag: u32) -> &'static str {
    CONTAINERS.iter().find(|container| container.tag.get() == tag).map_or("", |container| container.name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_table_is_complete() {
        let rows: Vec<_> = rows().collect();
        assert_eq!(rows.len(), 489);
        assert_eq!(rows.iter().map(|row| row.id).collect::<HashSet<_>>().len(), 489);
        assert_eq!((rows[0].id, rows[488].id), ("8", "11.7.2.6.5"));
        assert!(rows.iter().all(|row| !row.text.is_empty()));
        // Every container that is named is one of the data model.
        let named = TABLE.lines().filter(|line| line.contains("_OID\t")).count();
        assert_eq!(rows.iter().filter(|row| row.container.is_some()).count(), named);
        for row in rows {
            assert!(row.container.is_none_or(|tag| !container_name(tag).is_empty()), "{}", row.id);
        }
    }
}
