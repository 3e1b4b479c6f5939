//! The store on flash: it behaves like a map, keeps what it promised whenever the power fails, and finds every change.

mod support;

use card_sim::{
    key::KeyReference,
    object::ObjectTag,
    reference::Reference,
    store::{
        Flash, FlashError, FlashStore, MemoryFlash, MountError, Reads, Record, Store, StoreError, Update,
        audit::audit, flash::PAGE_SIZE,
    },
};
use chacha20::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use support::{
    contents::{Contents, assert_wiped, contents},
    cut_flash::{CutFlash, Tear},
};

/// The records that the tests write, with the lengths of their contents.
const RECORDS: [(Record, &[usize]); 6] = [
    (Record::Profile, &[3, 9]),
    (Record::ReferenceData(Reference::PivPin), &[9]),
    (Record::RetryCounter(Reference::PivPin), &[1]),
    (Record::RetryCounter(Reference::Puk), &[1]),
    (Record::Key(KeyReference::DigitalSignature), &[34, 516]),
    // One fragment and more, and the edges between.
    (Record::Object(ObjectTag::DISCOVERY), &[0, 20, 1019, 1020, 1021, 2100]),
];

/// A transaction: new contents, or none.
type Transaction = Vec<(Record, Option<Vec<u8>>)>;

fn commit(store: &mut impl Store, transaction: &Transaction) -> Result<(), StoreError> {
    let updates: Vec<_> = transaction
        .iter()
        .map(|(record, contents)| match contents {
            Some(contents) => Update::Write(*record, contents),
            None => Update::Remove(*record),
        })
        .collect();
    store.commit(&updates)
}

fn apply(model: &Contents, transaction: &Transaction) -> Contents {
    let mut model = model.clone();
    for (record, contents) in transaction {
        match contents {
            Some(contents) => model.insert(record.number(), contents.clone()),
            None => model.remove(&record.number()),
        };
    }
    model
}

fn random_transaction(rng: &mut ChaCha20Rng) -> Transaction {
    let mut transaction = Transaction::new();
    // Counters alone are the most frequent transaction of a card.
    let records = match rng.next_u32() % 3 {
        0 => vec![RECORDS[2 + rng.next_u32() as usize % 2]],
        _ => RECORDS.into_iter().filter(|_| rng.next_u32().is_multiple_of(3)).collect(),
    };
    for (record, lengths) in records {
        let contents = (!rng.next_u32().is_multiple_of(8)).then(|| {
            let mut contents = vec![0; lengths[rng.next_u32() as usize % lengths.len()]];
            rng.fill_bytes(&mut contents);
            contents
        });
        transaction.push((record, contents));
    }
    transaction
}

fn open(image: &[u8]) -> FlashStore<MemoryFlash> {
    FlashStore::open(MemoryFlash::from_image(image), Reads::Memory).unwrap()
}

fn blank(pages: usize) -> FlashStore<MemoryFlash> {
    FlashStore::format(MemoryFlash::blank(pages), Reads::Memory).unwrap()
}

#[test]
fn a_store_behaves_like_a_map() {
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let mut store = blank(4);
    let mut direct = FlashStore::format(MemoryFlash::blank(4), Reads::Flash).unwrap();
    let mut model = Contents::new();
    for _ in 0..600 {
        let transaction = random_transaction(&mut rng);
        let next = apply(&model, &transaction);
        assert_eq!(commit(&mut store, &transaction), Ok(()));
        assert_eq!(commit(&mut direct, &transaction), Ok(()));
        let image = store.image().unwrap();
        assert_wiped(&image, &model, &next);
        assert_eq!(audit(&image), Ok(()));
        model = next;
        for contents in [contents(&store), contents(&direct), contents(&open(&image))] {
            assert!(contents.unwrap() == model);
        }
    }
}

#[test]
fn the_power_may_fail_anywhere() {
    let transactions = support::thorough(120, 400);
    let mut rng = ChaCha20Rng::from_seed([2; 32]);
    let mut store = blank(3);
    let mut model = Contents::new();
    let mut image = store.image().unwrap();
    let (mut cuts, mut compactions) = (0, 0);
    for number in 0..transactions {
        let transaction = random_transaction(&mut rng);
        let next = apply(&model, &transaction);
        let (flash, power) = CutFlash::new(&image);
        let mut store = FlashStore::open(flash, Reads::Memory).unwrap();
        power.count();
        commit(&mut store, &transaction).unwrap();
        let operations = power.operations();
        let erased = !operations.erasures.is_empty();
        compactions += usize::from(erased);
        // Every transaction with an erasure, and a few of the others.
        let chosen = erased || number % support::thorough(10, 1) == 0;
        for after in support::sample(&operations).filter(|_| chosen) {
            for tear in Tear::all(cuts) {
                cuts += 1;
                let (flash, power) = CutFlash::new(&image);
                let mut store = FlashStore::open(flash, Reads::Memory).unwrap();
                power.cut_after(after, tear);
                let result = commit(&mut store, &transaction);
                assert!(power.is_off() && result == Err(StoreError::Medium), "{result:?} {tear:?}");
                drop(store);
                check_after_cut(&power.medium(), &model, &next);
            }
        }
        (image, model) = (power.medium().into(), next);
    }
    println!("{cuts} cut points in {transactions} transactions, {compactions} of them with an erasure");
    assert!(compactions > 3, "{compactions} compactions are too few to speak of");
}

/// The store opens, holds one of the two, shows nothing of the other, and works.
fn check_after_cut(image: &[u8], before: &Contents, after: &Contents) {
    let mut store = open(image);
    let found = contents(&store).unwrap();
    assert!(found == *before || found == *after, "neither the contents of before nor those of after");
    let mut image = store.image().unwrap();
    assert_wiped(&image, before, &found);
    assert_wiped(&image, after, &found);
    assert_eq!(audit(&image), Ok(()));
    let spent = (Record::RetryCounter(Reference::GlobalPin), Some(vec![2]));
    commit(&mut store, &vec![spent.clone()]).unwrap();
    image = store.image().unwrap();
    assert!(contents(&open(&image)).unwrap() == apply(&found, &vec![spent]));
}

#[test]
fn making_a_store_may_be_interrupted_too() {
    let mut used = blank(3);
    commit(&mut used, &vec![(Record::Profile, Some(vec![0x5A; 900]))]).unwrap();
    let image = used.image().unwrap();
    let (flash, power) = CutFlash::new(&image);
    FlashStore::format(flash, Reads::Memory).unwrap();
    for after in 0..power.operations().count {
        for tear in Tear::all(after) {
            let (flash, power) = CutFlash::new(&image);
            power.cut_after(after, tear);
            assert!(FlashStore::format(flash, Reads::Memory).is_err());
            let flash = MemoryFlash::from_image(&power.medium());
            contents(&FlashStore::format(flash, Reads::Memory).unwrap()).unwrap();
        }
    }
}

#[test]
fn a_transaction_that_does_not_fit_changes_nothing() {
    let mut store = blank(3);
    let object = Record::Object(ObjectTag::BIT_GROUP);
    commit(&mut store, &vec![(object, Some(vec![0xA5; 2500])), (Record::Profile, Some(vec![1; 5]))]).unwrap();
    let image = store.image().unwrap();
    let too_much = vec![(object, Some(vec![0x3C; 5000])), (Record::Profile, None)];
    assert_eq!(commit(&mut store, &too_much), Err(StoreError::Full));
    assert!(*store.image().unwrap() == *image);
    let twice = [Update::Write(Record::Profile, &[1]), Update::Remove(Record::Profile)];
    assert_eq!(store.commit(&twice), Err(StoreError::RepeatedRecord));
    assert!(*store.image().unwrap() == *image);
    // Room is given back: the same object may be replaced for ever.
    for round in 0..50 {
        commit(&mut store, &vec![(object, Some(vec![round; 2500]))]).unwrap();
    }
}

#[test]
fn a_buffer_that_is_too_small_gets_nothing() {
    for reads in [Reads::Memory, Reads::Flash] {
        let mut store = FlashStore::format(MemoryFlash::blank(3), reads).unwrap();
        commit(&mut store, &vec![(Record::Profile, Some(vec![1; 5]))]).unwrap();
        let mut out = heapless::Vec::<u8, 4>::new();
        assert_eq!(store.read(Record::Profile, &mut out), Err(StoreError::BufferTooSmall));
        assert!(out.is_empty());
    }
}

/// A flash that fails while it is told to.
struct FailingFlash(MemoryFlash, std::rc::Rc<std::cell::Cell<bool>>);

impl Flash for FailingFlash {
    fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    fn write(&mut self, offset: usize, words: &[u8]) -> Result<(), FlashError> {
        if self.1.get() { Err(FlashError) } else { self.0.write(offset, words) }
    }

    fn erase(&mut self, page: usize) -> Result<(), FlashError> {
        if self.1.get() { Err(FlashError) } else { self.0.erase(page) }
    }
}

#[test]
fn a_flash_that_failed_and_works_again_is_used_again() {
    let fails = std::rc::Rc::default();
    let flash = FailingFlash(MemoryFlash::blank(3), std::rc::Rc::clone(&fails));
    let mut store = FlashStore::format(flash, Reads::Memory).unwrap();
    let before = vec![(Record::Profile, Some(vec![1; 5]))];
    commit(&mut store, &before).unwrap();
    let change = vec![(Record::Profile, Some(vec![2; 6]))];
    fails.set(true);
    assert_eq!(commit(&mut store, &change), Err(StoreError::Medium));
    fails.set(false);
    commit(&mut store, &change).unwrap();
    assert!(contents(&store).unwrap() == apply(&Contents::new(), &change));
}

#[test]
fn a_flash_wears_out_as_it_should() {
    // Every page may be erased 10,000 times; this one was 9,990 times before.
    let mut image = blank(3).image().unwrap();
    let place = 9_990_u32;
    let place = place | (place | 0xF800_0000).count_zeros() << 27;
    image[..4].copy_from_slice(&place.to_le_bytes());
    assert_eq!(audit(&image), Ok(()));
    let mut store = open(&image);
    let large = |byte| vec![(Record::Profile, Some(vec![byte; 2000]))];
    let mut written = 0_u8;
    let error = loop {
        match commit(&mut store, &large(written)) {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error, StoreError::WornOut);
    assert!((40..80).contains(&written), "{written}");
    assert!(contents(&store).unwrap() == apply(&Contents::new(), &large(written - 1)));
}

#[test]
fn what_is_no_store_is_named() {
    let error = |image: &[u8]| FlashStore::open(MemoryFlash::from_image(image), Reads::Memory).err();
    assert_eq!(error(&[]), Some(MountError::Geometry));
    assert_eq!(error(&[0xFF; 2 * PAGE_SIZE]), Some(MountError::Geometry));
    assert_eq!(error(&[0xFF; 3 * PAGE_SIZE + 4]), Some(MountError::Geometry));
    assert_eq!(error(&[0xFF; 3 * PAGE_SIZE]), Some(MountError::Blank));
    assert!(matches!(error(&[0x00; 3 * PAGE_SIZE]), Some(MountError::Damaged(_))));
    assert!(matches!(error(&[0x41; 3 * PAGE_SIZE]), Some(MountError::Damaged(_))));
    let image = blank(5).image().unwrap();
    assert_eq!(error(&image[..3 * PAGE_SIZE]), Some(MountError::Pages(5)));
    let mut rng = ChaCha20Rng::from_seed([3; 32]);
    for _ in 0..support::thorough(200, 20_000) {
        let mut noise = vec![0; 3 * PAGE_SIZE];
        rng.fill_bytes(&mut noise);
        assert!(error(&noise).is_some());
    }
}

/// Sets one byte after the other to other values, opens what comes out, and wants the contents of before or an error.
#[test]
fn every_changed_byte_is_found_or_does_no_harm() {
    let mut rng = ChaCha20Rng::from_seed([4; 32]);
    let mut store = blank(4);
    let mut model = Contents::new();
    for _ in 0..60 {
        let transaction = random_transaction(&mut rng);
        commit(&mut store, &transaction).unwrap();
        model = apply(&model, &transaction);
    }
    let image = store.image().unwrap();
    let (mut refused, mut repaired, mut harmless) = (0, 0, 0);
    for position in (0..image.len()).step_by(support::thorough(13, 1)) {
        for change in [0xFF, 1 << (position % 8), 0x18] {
            let mut changed = image.to_vec();
            changed[position] ^= change;
            let opened = FlashStore::open(MemoryFlash::from_image(&changed), Reads::Memory);
            let Ok(mut store) = opened else {
                refused += 1;
                continue;
            };
            let found = store.image().unwrap();
            if audit(&found).is_err() {
                refused += 1;
                continue;
            }
            assert!(contents(&store).unwrap() == model, "byte {position:X} ^ {change:02X}");
            *(if *found == changed { &mut harmless } else { &mut repaired }) += 1;
            for round in 0..4 {
                commit(&mut store, &vec![(Record::Profile, Some(vec![round; 1800]))]).unwrap();
            }
        }
    }
    println!("{refused} refused, {repaired} repaired, {harmless} in words that mean nothing any more");
    assert!(refused > 100 && repaired > 10);
}

/// A retry counter is one word: whatever becomes of one of its bytes, it is never another number of tries.
#[test]
fn a_changed_retry_counter_is_found() {
    let mut store = blank(3);
    let tries = vec![(Record::RetryCounter(Reference::PivPin), Some(vec![2]))];
    commit(&mut store, &vec![(Record::RetryCounter(Reference::PivPin), Some(vec![3]))]).unwrap();
    commit(&mut store, &tries).unwrap();
    let image = store.image().unwrap();
    // The counter was written last.
    let word = image[..PAGE_SIZE].iter().rposition(|byte| *byte != 0xFF).unwrap() / 4 * 4;
    let mut refused = 0;
    for position in word..word + 4 {
        for change in 1..=0xFF {
            let mut changed = image.to_vec();
            changed[position] ^= change;
            match FlashStore::open(MemoryFlash::from_image(&changed), Reads::Memory) {
                Ok(store) => assert!(contents(&store).unwrap() == apply(&Contents::new(), &tries)),
                Err(error) => {
                    assert!(matches!(error, MountError::Damaged(_)));
                    refused += 1;
                }
            }
        }
    }
    assert_eq!(refused, 4 * 255);
}

/// Whatever a flash holds, opening it ends, without a panic; and what opens and is sound works.
#[test]
fn a_flash_in_ruins_is_no_danger() {
    let mut rng = ChaCha20Rng::from_seed([5; 32]);
    let mut store = blank(4);
    let (mut opened, mut refused) = (0, 0);
    for _ in 0..40 {
        commit(&mut store, &random_transaction(&mut rng)).unwrap();
    }
    let image = store.image().unwrap();
    for _ in 0..support::thorough(1_500, 100_000) {
        let mut ruins = image.to_vec();
        for _ in 0..=rng.next_u32() % 6 {
            // Headers of pages and words that are in use are worth more attention than others.
            let word = match rng.next_u32() % 3 {
                0 => rng.next_u32() as usize % 4 * PAGE_SIZE + rng.next_u32() as usize % 2 * 4,
                _ => rng.next_u32() as usize % (ruins.len() / 4) * 4,
            };
            let other = rng.next_u32() as usize % (ruins.len() / 4) * 4;
            match rng.next_u32() % 4 {
                0 => ruins[word + rng.next_u32() as usize % 4] ^= 1 << (rng.next_u32() % 8),
                1 => ruins[word..word + 4].copy_from_slice(&rng.next_u32().to_le_bytes()),
                2 => ruins.copy_within(other..other + 4, word),
                _ => ruins[word] &= 0xF0,
            }
        }
        let Ok(mut store) = FlashStore::open(MemoryFlash::from_image(&ruins), Reads::Memory) else {
            refused += 1;
            continue;
        };
        // As a host does, which goes on with a flash only if all of it is sound.
        if store.with_image(audit) != Ok(Ok(())) {
            refused += 1;
            continue;
        }
        opened += 1;
        for round in 0..6 {
            commit(&mut store, &vec![(Record::Profile, Some(vec![round; 1500]))]).unwrap();
        }
    }
    println!("{opened} opened, {refused} refused");
    assert!(opened > 100 && refused > 100);
}

/// Found by the fuzzer: a byte that changes in the free words behind the log moves the end of the log, and where that
/// leaves no room to compact, the card worked for a while and then was lost for good.
#[test]
fn a_changed_byte_behind_the_log_is_refused_if_it_leaves_no_room() {
    let mut store = blank(4);
    let large = [Update::Write(Record::Profile, [0x5A; 1000].as_slice())];
    let small = [Update::Write(Record::RetryCounter(Reference::PivPin), [3].as_slice())];
    store.commit(&large).unwrap();
    let (mut works, mut refused) = (0, 0);
    for _ in 0..120 {
        store.commit(&[Update::Write(Record::Profile, &[0xA5; 96])]).unwrap();
        let image = store.image().unwrap();
        let end = image.iter().rposition(|byte| *byte != 0xFF).unwrap() / 4 * 4;
        for distance in [8, 400, 850] {
            let mut changed = image.to_vec();
            let Some(cell) = changed.get_mut(end + distance).filter(|cell| **cell == 0xFF) else { continue };
            *cell = 0xD2;
            let mut store = FlashStore::open(MemoryFlash::from_image(&changed), Reads::Memory).unwrap();
            if store.with_image(audit) != Ok(Ok(())) {
                refused += 1;
                continue;
            }
            works += 1;
            for _ in 0..60 {
                store.commit(&large).unwrap();
                store.commit(&small).unwrap();
            }
            assert_eq!(store.with_image(audit), Ok(Ok(())));
        }
    }
    println!("{works} work, {refused} refused");
    assert!(works > 30 && refused > 3);
}
