//! What a store holds, and what it must not hold any more.

use std::{
    collections::{BTreeMap, HashSet},
    sync::LazyLock,
};

use card_sim::store::{Record, Store, StoreError};

/// What a card's store holds, by record number.
pub(crate) type Contents = BTreeMap<u16, Vec<u8>>;

static ALL_RECORDS: LazyLock<Vec<Record>> =
    LazyLock::new(|| (0..0x1000).filter_map(Record::from_number).collect());

/// Reads everything.
pub(crate) fn contents(store: &impl Store) -> Result<Contents, StoreError> {
    let mut contents = Contents::new();
    for record in &*ALL_RECORDS {
        let mut out = heapless::Vec::<u8, 20_000>::new();
        if store.read(*record, &mut out)? {
            contents.insert(record.number(), out.to_vec());
        }
    }
    Ok(contents)
}

/// No contents of `before` that are gone in `after` can be read in the image.
pub(crate) fn assert_wiped(image: &[u8], before: &Contents, after: &Contents) {
    // Contents lie on whole words. Single words occur by chance, two in a row do not.
    let words = image.as_chunks::<4>().0;
    let pairs: HashSet<_> = words.windows(2).map(<[_]>::as_flattened).collect();
    for (number, contents) in before.iter().filter(|(number, contents)| after.get(number) != Some(contents)) {
        for secret in contents.chunks_exact(8).filter(|secret| pairs.contains(*secret)) {
            let elsewhere = after.values().any(|kept| kept.windows(8).any(|window| window == secret));
            assert!(elsewhere, "overwritten bytes of record {number:03X} are still there");
        }
    }
}
