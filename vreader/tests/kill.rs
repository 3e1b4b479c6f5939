//! A process that is killed while it changes a card file loses nothing that it had reported.
//!
//! The test starts this program again as a writer, which changes several records in each transaction and prints a line
//! when it is made, kills it at some moment, and looks at the file.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use card_sim::{
    key::KeyReference,
    reference::Reference,
    store::{Record, Store, Update},
};
use vreader::image::{Durability, FileStore, FlashSize, ImageError};

/// Tells the writer which card file to write.
const CARD: &str = "KILL_TEST_CARD";

/// Tells it the durability.
const SYNCED: &str = "KILL_TEST_SYNCED";

const KEY: Record = Record::Key(KeyReference::PivAuthentication);
const COUNTER: Record = Record::RetryCounter(Reference::PivPin);

/// What transaction `number` writes: two fragments, and a retry counter.
fn contents(number: u32) -> (Vec<u8>, [u8; 4]) {
    (number.to_be_bytes().repeat(400), number.to_be_bytes())
}

fn change(store: &mut impl Store, number: u32) {
    let (key, counter) = contents(number);
    store.commit(&[Update::Write(KEY, &key), Update::Write(COUNTER, &counter)]).unwrap();
}

/// The number of the transaction whose contents the card holds.
fn number(store: &impl Store) -> u32 {
    let read = |record| {
        let mut out = heapless::Vec::<u8, 2000>::new();
        assert!(store.read(record, &mut out).unwrap());
        out.to_vec()
    };
    let number = u32::from_be_bytes(read(COUNTER).try_into().unwrap());
    assert!(read(KEY) == contents(number).0, "records of two transactions");
    number
}

fn create(path: &Path) {
    let size = FlashSize::from_pages(4).unwrap();
    let store = FileStore::create::<ImageError>(path, size, |store| {
        change(store, 0);
        Ok(())
    });
    drop(store.unwrap());
}

/// Started by the other tests, this writes until it is killed. Started by itself, it writes a little.
#[test]
fn writer() {
    if let Some(card) = env::var_os(CARD) {
        let durability =
            if env::var_os(SYNCED).is_some() { Durability::Machine } else { Durability::Process };
        let mut store = FileStore::open(Path::new(&card), durability).unwrap();
        write(&mut store, u32::MAX);
    } else {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card");
        create(&path);
        write(&mut FileStore::open(&path, Durability::Process).unwrap(), 3);
        assert_eq!(number(&FileStore::peek(&path).unwrap()), 3);
    }
}

/// So many transactions, each reported when it is made.
fn write(store: &mut FileStore, count: u32) {
    let first = number(store) + 1;
    for number in (first..).take(count as usize) {
        change(store, number);
        let mut out = std::io::stdout().lock();
        // The reader may be gone before this process is.
        let _ = writeln!(out, "\nmade {number}").and_then(|()| out.flush());
    }
}

fn start(path: &Path, durability: Durability) -> (Child, BufReader<ChildStdout>) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "writer", "--nocapture"]).env(CARD, path).stdout(Stdio::piped());
    if durability == Durability::Machine {
        command.env(SYNCED, "1");
    }
    let mut child = command.spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

/// The transactions that a writer reports.
fn made(out: BufReader<ChildStdout>) -> impl Iterator<Item = u32> {
    let reports = out.lines().map_while(Result::ok);
    reports.filter_map(|line| line.strip_prefix("made ").map(|number| number.parse().unwrap()))
}

fn killed_again_and_again(durability: Durability, rounds: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("card");
    create(&path);
    let (mut last, mut interrupted) = (0, 0);
    for round in 0..rounds {
        let (mut child, out) = start(&path, durability);
        let mut made = made(out);
        // At some moment of some transaction: how far the writer is when the signal comes is chance.
        let reported = made.nth(round * 7 % 23).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let reported = made.last().unwrap_or(reported);
        assert!(reported > last, "the writer went on from where it had been");
        last = number(&FileStore::open(&path, durability).unwrap());
        interrupted += u32::from(last > reported);
        assert!(
            last == reported || last == reported + 1,
            "{reported} was reported, and the card holds {last}"
        );
    }
    println!("{rounds} kills up to transaction {last}, {interrupted} between the change and its report");
}

#[test]
fn nothing_that_was_reported_is_lost_to_a_kill() {
    killed_again_and_again(Durability::Process, 40);
}

#[test]
fn nor_when_every_change_is_synced() {
    killed_again_and_again(Durability::Machine, 10);
}
