//! The scenarios of `vectors`, on a board and on the host at once: each answer is what the scenario says, and byte for byte what
//! the host's card says.

use std::{cell::RefCell, path::Path, rc::Rc};

use vectors::{
    files,
    scenario::{Script, Target, Values, run},
};

use crate::{
    chip::Chip,
    host_card::{RefusedBy, TestCard},
    machine::{Flash, Machine, MemoryUsed, Message},
};

/// What the host's card announces in its answer to SELECT: two numbers of 16,384 (ISO/IEC 7816-4, 12.7.1).
const HOST_ANNOUNCES: [u8; 8] = [0x02, 0x02, 0x40, 0x00, 0x02, 0x02, 0x40, 0x00];

/// What a run of all scenarios found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) scenarios: usize,
    pub(crate) exchanges: usize,
    pub(crate) memory: MemoryUsed,
    /// Files with scenarios of what no chip has.
    pub(crate) of_other_cards: usize,
    /// What went wrong.
    pub(crate) wrong: Vec<String>,
}

/// Runs every scenario on a chip. Those that it cannot pass must fail.
pub(crate) fn run_all(chip: &Chip, firmware: &Path) -> Found {
    let mut found = Found::default();
    let mut left_out: Vec<_> = chip.left_out.iter().flat_map(|group| group.scenarios).copied().collect();
    for path in files::scenarios().expect("the folder with the scenarios") {
        if of_other_cards(&path) {
            found.of_other_cards += 1;
            continue;
        }
        let mut script = Script::load(&path, &files::own("cards")).unwrap_or_else(|error| panic!("{error}"));
        for scenario in std::mem::take(&mut script.scenarios) {
            let name = scenario.name.clone();
            script.scenarios = vec![scenario];
            let seen = Rc::new(RefCell::new(Seen::default()));
            let report = run(&script, |values| Twins::new(chip, firmware, values, &seen));
            let seen = seen.take();
            let failures = report.failures.iter().map(ToString::to_string);
            let wrong: Vec<_> = failures.chain(seen.differences).collect();
            found.memory = found.memory.or_more(seen.memory);
            match left_out.iter().position(|other| *other == name) {
                None => {
                    found.scenarios += 1;
                    found.exchanges += report.exchanges;
                    found.wrong.extend(wrong);
                }
                Some(position) if !wrong.is_empty() => drop(left_out.remove(position)),
                Some(_) => {}
            }
        }
    }
    let stale = left_out.iter().map(|name| format!("\"{name}\" is left out, and passes or is not there"));
    found.wrong.extend(stale);
    found
}

/// Whether a file is about the CAC applets, Yubico's commands or the import of keys, which no chip has.
fn of_other_cards(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    ["cac_", "yubico_", "key_import"].iter().any(|beginning| name.starts_with(beginning))
}

/// What was seen in a scenario.
#[derive(Default)]
struct Seen {
    differences: Vec<String>,
    memory: MemoryUsed,
}

/// The same card twice: on a board and on the host. What fails is the board's, and ends the run.
struct Twins {
    board: Machine,
    host: TestCard,
    announces: [u8; 8],
    seen: Rc<RefCell<Seen>>,
    // After the board, which uses it.
    _flash: Flash,
}

impl Twins {
    fn new(chip: &Chip, firmware: &Path, values: &Values, seen: &Rc<RefCell<Seen>>) -> Self {
        let mut host = TestCard::new(values, &RefusedBy::default());
        let flash = Flash::new(&host.image()).unwrap_or_else(|error| panic!("{error}"));
        let board = Machine::start(firmware, &flash).unwrap_or_else(|error| panic!("{error}"));
        let [high, low] = chip.capacity.to_be_bytes();
        let announces = [0x02, 0x02, high, low, 0x02, 0x02, high, low];
        let mut twins = Self { board, host, announces, seen: Rc::clone(seen), _flash: flash };
        twins.tell(Message::PowerOn);
        twins
    }

    fn tell(&mut self, message: Message) {
        self.board.tell(message).unwrap_or_else(|error| panic!("{error}"));
    }
}

impl Target for Twins {
    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        let answer = self.board.transmit(command).unwrap_or_else(|error| panic!("{error}"));
        let mut expected = self.host.transmit(command);
        // The one thing in which they may differ.
        if let Some(at) = expected.windows(8).position(|window| window == HOST_ANNOUNCES) {
            expected[at..at + 8].copy_from_slice(&self.announces);
        }
        if answer != expected {
            let [sent, answer, expected] = [command, &answer, &expected].map(hex::encode);
            self.seen
                .borrow_mut()
                .differences
                .push(format!("{sent:.64}: {answer:.64}, and on the host {expected:.64}"));
        }
        answer
    }

    fn reset(&mut self) {
        self.tell(Message::Reset);
        self.host.reset();
    }

    fn power_off(&mut self) {
        self.tell(Message::PowerOff);
        self.host.power_off();
    }

    fn power_on(&mut self) {
        self.tell(Message::PowerOn);
        self.host.power_on();
    }

    fn power_on_contactless(&mut self) {
        self.tell(Message::PowerOnContactless);
        self.host.power_on_contactless();
    }
}

impl Drop for Twins {
    fn drop(&mut self) {
        match self.board.memory_used() {
            Ok(used) => self.seen.borrow_mut().memory = used,
            Err(error) => self.seen.borrow_mut().differences.push(error.to_string()),
        }
    }
}
