//! The gate for constant time: what a command takes must not depend on a secret.
//!
//! QEMU counts instructions exactly, so a difference is no noise. Each row varies one secret on a card that is otherwise the
//! same, byte by byte: the place at which a PIN is wrong, a private key. What is public may change the count, so only runs
//! of the same [`Form`] are compared: the same number in a row of commands, the same form of a signature in DER.
//!
//! Known and not varied: contents that end in FFFFFFFF are stored inverted by the log below the store, and read a few
//! instructions slower. So a PIN of eight digits can be told from a shorter one, which is padded with FF.
//!
//! What this does not see: instructions that take more cycles for some operands than for others, and power.

mod secure_messaging;

use std::{collections::BTreeMap, path::Path};

use card_sim::{
    crypto::{Crypto, RustCrypto},
    key::{AsymmetricAlgorithm, DEFAULT_EXPONENT, KeyReference, PrivateKey, SymmetricAlgorithm},
    sm::CipherSuite,
};

use crate::{
    chip::Chip,
    machine::{Flash, Machine, MachineError, MemoryUsed, Message},
    sample::{self, BOARD_SEED, Sample, random},
};

/// Instructions by which two measurements of the same work may differ: a turn of the loop that waits for the timer, at
/// both ends.
const RESOLUTION: u64 = 8;

/// What is public about a command and its answer, and may change the work.
type Form = Vec<usize>;

/// What was measured of one kind of work: the instructions of its runs, by form.
pub(crate) struct Row {
    pub(crate) what: &'static str,
    counts: BTreeMap<Form, Vec<u64>>,
}

impl Row {
    fn all(&self) -> impl Iterator<Item = u64> {
        self.counts.values().flatten().copied()
    }

    pub(crate) fn runs(&self) -> usize {
        self.all().count()
    }

    pub(crate) fn most(&self) -> u64 {
        self.all().max().unwrap_or_default()
    }

    /// The largest difference between runs of the same form.
    pub(crate) fn spread(&self) -> u64 {
        let spread = |counts: &Vec<u64>| Some(counts.iter().max()? - counts.iter().min()?);
        self.counts.values().filter_map(spread).max().unwrap_or_default()
    }

    pub(crate) fn is_constant(&self) -> bool {
        self.spread() <= RESOLUTION
    }
}

/// Rows, and the most memory that they needed.
#[derive(Default)]
pub(crate) struct Measured {
    pub(crate) rows: Vec<Row>,
    pub(crate) memory: MemoryUsed,
}

/// Measures everything that a chip can do.
pub(crate) fn run(chip: &Chip, firmware: &Path) -> Result<Measured, MachineError> {
    let mut bench = Bench { firmware, measured: Measured::default() };
    bench.start("start, an empty card", &Sample::default())?;
    bench.start("start, every object at its standard size", &Sample { full: true, ..Sample::default() })?;
    bench.references()?;
    bench.administrator()?;
    bench.curve(AsymmetricAlgorithm::EccP256, "P-256 signature", "P-256 key agreement")?;
    if chip.p384 {
        bench.curve(AsymmetricAlgorithm::EccP384, "P-384 signature", "P-384 key agreement")?;
    }
    if chip.rsa {
        bench.rsa()?;
    }
    bench.secure_messaging(CipherSuite::Cs2)?;
    if chip.p384 {
        bench.secure_messaging(CipherSuite::Cs7)?;
    }
    Ok(bench.measured)
}

/// Measures a comparison that stops at the first difference, which no gate may let through.
pub(crate) fn run_leaky(firmware: &Path) -> Result<Measured, MachineError> {
    let mut bench = Bench { firmware, measured: Measured::default() };
    bench.wrong_values(
        "leaky VERIFY, by the wrong digit",
        &[0x00, 0x20, 0x00, 0x80, 0x08],
        sample::PIN,
        &[],
    )?;
    Ok(bench.measured)
}

/// Commands to be measured, and what they must be answered with.
struct Work<'a> {
    flash: Vec<u8>,
    before: &'a [Vec<u8>],
    commands: &'a [Vec<u8>],
    status: [u8; 2],
    /// The form of an answer's data field.
    form: fn(&[u8]) -> Form,
}

impl Default for Work<'_> {
    fn default() -> Self {
        Self {
            flash: Vec::new(),
            before: &[],
            commands: &[],
            status: [0x90, 0x00],
            form: |data| vec![data.len()],
        }
    }
}

struct Bench<'a> {
    firmware: &'a Path,
    measured: Measured,
}

impl Bench<'_> {
    /// Does the work on a new board and adds its commands to a row.
    fn measure(&mut self, what: &'static str, work: &Work<'_>) -> Result<(), MachineError> {
        let flash = Flash::new(&work.flash)?;
        let mut board = Machine::start(self.firmware, &flash)?;
        board.tell(Message::PowerOn)?;
        for command in work.before {
            board.transmit(command)?;
        }
        for (number, command) in work.commands.iter().enumerate() {
            let answer = board.transmit(command)?;
            let data = answer.strip_suffix(&work.status);
            let data = data.unwrap_or_else(|| panic!("{what} was answered with {}", hex::encode(&answer)));
            let form = [vec![number], (work.form)(data)].concat();
            let instructions = board.instructions()?;
            self.add(what, form, instructions);
        }
        self.measured.memory = self.measured.memory.or_more(board.memory_used()?);
        Ok(())
    }

    fn add(&mut self, what: &'static str, form: Form, instructions: u64) {
        let rows = &mut self.measured.rows;
        let place = rows.iter().position(|row| row.what == what).unwrap_or_else(|| {
            rows.push(Row { what, counts: BTreeMap::new() });
            rows.len() - 1
        });
        rows[place].counts.entry(form).or_default().push(instructions);
    }

    /// From power to a card that answers: the log is read, and every record checked.
    fn start(&mut self, what: &'static str, sample: &Sample) -> Result<(), MachineError> {
        let flash = Flash::new(&sample.flash())?;
        let mut board = Machine::start(self.firmware, &flash)?;
        let instructions = board.instructions()?;
        self.measured.memory = self.measured.memory.or_more(board.memory_used()?);
        self.add(what, Form::new(), instructions);
        Ok(())
    }

    /// PIN and PUK: a wrong one by the place where it is wrong, and one wrong PIN for several right ones.
    fn references(&mut self) -> Result<(), MachineError> {
        let flash = Sample::default().flash();
        let commands = &[sample::verify(sample::PIN)];
        self.measure("VERIFY, right", &Work { flash, commands, ..Work::default() })?;
        self.wrong_values("VERIFY, by the wrong digit", &[0x00, 0x20, 0x00, 0x80, 0x08], sample::PIN, &[])?;
        let commands = &[sample::verify(*b"00000000")];
        for pin in [b"00000001", b"10000000", b"12345678", b"99999999"] {
            let flash = Sample { pin: *pin, ..Sample::default() }.flash();
            let work = Work { flash, commands, status: [0x63, 0xC2], ..Work::default() };
            self.measure("VERIFY, by the right PIN", &work)?;
        }
        let reset = [0x00, 0x2C, 0x00, 0x80, 0x10];
        self.wrong_values("RESET RETRY COUNTER, by the wrong digit", &reset, sample::PUK, &sample::PIN)
    }

    /// `header`, then `right` with one digit wrong, then `rest`; for each digit, on a new card.
    fn wrong_values(
        &mut self,
        what: &'static str,
        header: &[u8],
        right: [u8; 8],
        rest: &[u8],
    ) -> Result<(), MachineError> {
        let flash = Sample::default().flash();
        for place in 0..right.len() {
            let mut wrong = right;
            wrong[place] = b'0';
            let commands = &[[header, &wrong, rest].concat()];
            let work = Work { flash: flash.clone(), commands, status: [0x63, 0xC2], ..Work::default() };
            self.measure(what, &work)?;
        }
        Ok(())
    }

    /// The card management key: its challenge under several keys, and a wrong answer by the place where it is wrong.
    fn administrator(&mut self) -> Result<(), MachineError> {
        for (what, algorithm) in [
            ("challenge, 3DES, by the key", SymmetricAlgorithm::TripleDes),
            ("challenge, AES-128, by the key", SymmetricAlgorithm::Aes128),
            ("challenge, AES-192, by the key", SymmetricAlgorithm::Aes192),
            ("challenge, AES-256, by the key", SymmetricAlgorithm::Aes256),
        ] {
            for seed in 0..4 {
                let management_key = sample::management_key(algorithm, seed);
                let flash = Sample { management_key, ..Sample::default() }.flash();
                let commands = &[sample::challenge(algorithm)];
                self.measure(what, &Work { flash, commands, ..Work::default() })?;
            }
        }
        let sample = Sample::default();
        let algorithm = sample.management_key.algorithm();
        // The board's generator begins with a known seed, so its first challenge is known.
        let mut right = random(BOARD_SEED)[..algorithm.block_length()].to_vec();
        RustCrypto::default().encrypt_block(&sample.management_key, &mut right).expect("one block");
        for place in 0..right.len() {
            let mut wrong = right.clone();
            wrong[place] ^= 0x01;
            let before = &[sample::challenge(algorithm)];
            let commands = &[sample::proof(algorithm, &wrong)];
            let work =
                Work { flash: sample.flash(), before, commands, status: [0x69, 0x82], ..Work::default() };
            self.measure("answer to a challenge, by the wrong byte", &work)?;
        }
        let before = &[sample::challenge(algorithm)];
        let commands = &[sample::proof(algorithm, &right)];
        let work = Work { flash: sample.flash(), before, commands, ..Work::default() };
        self.measure("answer to a challenge, right", &work)
    }

    /// Signatures with 9E and key agreement with 9D.
    fn curve(
        &mut self,
        algorithm: AsymmetricAlgorithm,
        sign: &'static str,
        agree: &'static str,
    ) -> Result<(), MachineError> {
        let size = algorithm.size();
        let any = |seed| random(seed)[..size].to_vec();
        let signatures =
            [vec![0; size], vec![0xFF; size], any(1), any(2)].map(|digest| sample::sign(algorithm, &digest));
        let agreements = [3, 4].map(|seed| sample::agree(algorithm, &sample::point(algorithm, &any(seed))));
        for scalar in sample::scalars(algorithm) {
            let key = PrivateKey::ecc(algorithm, &scalar).expect("a scalar of its length");
            let keys =
                vec![(KeyReference::CardAuthentication, key.clone()), (KeyReference::KeyManagement, key)];
            let flash = Sample { keys, ..Sample::default() }.flash();
            let work =
                Work { flash: flash.clone(), commands: &signatures, form: of_signature, ..Work::default() };
            self.measure(sign, &work)?;
            let before = &[sample::verify(sample::PIN)];
            self.measure(agree, &Work { flash, before, commands: &agreements, ..Work::default() })?;
        }
        Ok(())
    }

    /// RSA-2048 with four keys: a key's first use, which prepares it, and others.
    fn rsa(&mut self) -> Result<(), MachineError> {
        let algorithm = AsymmetricAlgorithm::Rsa2048;
        let below_any_modulus = [&[0x00][..], &[0xFF; 255]].concat();
        let commands = [[0; 255].as_slice(), &random(1).repeat(4)[1..], &below_any_modulus[1..]]
            .map(|input| sample::sign(algorithm, &[&[0x00], input].concat()));
        for seed in 1..=4 {
            let key =
                RustCrypto::default().generate(algorithm, DEFAULT_EXPONENT, &mut sample::generator(seed));
            let keys = vec![(KeyReference::CardAuthentication, key.expect("a key"))];
            let flash = Sample { keys, ..Sample::default() }.flash();
            let (first, others) = (&commands[1..2], &commands);
            self.measure(
                "RSA-2048, first use",
                &Work { flash: flash.clone(), commands: first, ..Work::default() },
            )?;
            self.measure("RSA-2048", &Work { flash, before: first, commands: others, ..Work::default() })?;
        }
        Ok(())
    }
}

/// Of each number of a signature in DER, its length and whether a zero stands before it.
fn of_signature(data: &[u8]) -> Form {
    // 7C L 82 L 30 L 02 L …
    let mut form = Form::new();
    let mut rest = data.get(6..).unwrap_or_default();
    while let [0x02, length, number @ ..] = rest {
        form.extend([usize::from(*length), usize::from(number.first() == Some(&0))]);
        rest = number.get(usize::from(*length)..).unwrap_or_default();
    }
    form
}
