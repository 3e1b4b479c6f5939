//! The board, emulated: QEMU's mps2-an386 with a firmware, and with a card file as its flash.
//!
//! The card file is mapped into the board's memory where the firmware has its card's flash, so what the firmware writes is in the
//! file, as it is in a real flash, whatever happens to the board afterwards. QEMU counts one nanosecond an
//! instruction (`-icount shift=0`), which makes runs repeat exactly.
//!
//! The line to the firmware is QEMU's standard input and output. Killing QEMU is a loss of power.

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use thiserror::Error;

/// The emulator, where `tools/install-firmware` puts it.
const QEMU: &str = "/usr/bin/qemu-system-arm";

/// The memory that QEMU wants behind a file: all of the board's PSRAM.
const PSRAM: u64 = 16 << 20;

/// Why the board did not do its work.
#[derive(Debug, Error)]
pub(crate) enum MachineError {
    /// A file or process could not be used.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The emulator is not there.
    #[error("{QEMU} is missing; install it: tools/install-firmware")]
    NoEmulator,
    /// The firmware stopped with an error.
    #[error("the firmware stopped or was silent for too long ({status}); it said: {said}")]
    Stopped {
        /// How QEMU ended.
        status: ExitStatus,
        /// What the firmware printed.
        said: String,
    },
}

fn io_error(action: &'static str) -> impl Fn(io::Error) -> MachineError {
    move |source| MachineError::Io { action, source }
}

/// How long a board may be silent. The longest work, an RSA-4096 key, takes it a minute on a busy machine.
const PATIENCE: Timespec = Timespec { tv_sec: 600, tv_nsec: 0 };

/// A message to the board: its kind. `firmware/device/src/line.rs` describes them.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(crate) enum Message {
    PowerOff = 0,
    PowerOn = 1,
    Reset = 2,
    Command = 3,
    Instructions = 4,
    MemoryUsed = 5,
    PowerOnContactless = 6,
}

/// The most memory that was in use, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MemoryUsed {
    pub(crate) stack: u32,
    pub(crate) heap: u32,
    pub(crate) statics: u32,
}

impl MemoryUsed {
    pub(crate) fn total(self) -> u32 {
        self.stack + self.heap + self.statics
    }

    /// The larger of each.
    pub(crate) fn or_more(self, other: Self) -> Self {
        Self {
            stack: self.stack.max(other.stack),
            heap: self.heap.max(other.heap),
            statics: self.statics.max(other.statics),
        }
    }
}

/// A flash for the board: a card file, at the front of the board's memory.
pub(crate) struct Flash {
    // Removes the file when dropped.
    _folder: tempfile::TempDir,
    path: PathBuf,
    length: usize,
}

impl Flash {
    /// A flash with these contents.
    pub(crate) fn new(image: &[u8]) -> Result<Self, MachineError> {
        let folder = tempfile::tempdir().map_err(io_error("make a folder for the flash"))?;
        let path = folder.path().join("flash");
        let write = || {
            let mut file = File::create(&path)?;
            file.write_all(image)?;
            file.set_len(PSRAM)
        };
        write().map_err(io_error("write the flash"))?;
        Ok(Self { _folder: folder, path, length: image.len() })
    }

    /// What it holds.
    pub(crate) fn image(&self) -> Result<Vec<u8>, MachineError> {
        let mut image = vec![0; self.length];
        let read = File::open(&self.path).and_then(|mut file| file.read_exact(&mut image));
        read.map_err(io_error("read the flash"))?;
        Ok(image)
    }
}

/// A board that runs. Dropping it takes its power away, whatever it is doing.
pub(crate) struct Machine {
    qemu: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
    said: File,
}

impl Machine {
    /// Starts `firmware`.
    pub(crate) fn start(firmware: &Path, flash: &Flash) -> Result<Self, MachineError> {
        if !Path::new(QEMU).exists() {
            return Err(MachineError::NoEmulator);
        }
        let said = tempfile::tempfile().map_err(io_error("make a file for messages"))?;
        let stderr = said.try_clone().map_err(io_error("make a file for messages"))?;
        let psram =
            format!("memory-backend-file,id=psram,size={PSRAM},share=on,mem-path={}", flash.path.display());
        let mut qemu = Command::new(QEMU)
            .args(["-machine", "mps2-an386,memory-backend=psram", "-cpu", "cortex-m4", "-object", &psram])
            .args(["-nodefaults", "-nic", "none", "-display", "none", "-serial", "none", "-monitor", "none"])
            .args(["-semihosting-config", "enable=on,target=native", "-icount", "shift=0", "-kernel"])
            .arg(firmware)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .map_err(io_error("start qemu-system-arm"))?;
        let (Some(input), Some(output)) = (qemu.stdin.take(), qemu.stdout.take()) else {
            unreachable!("both were asked for");
        };
        Ok(Self { qemu, input: Some(input), output, said })
    }

    /// Sends a command and gives the answer with its status word.
    pub(crate) fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, MachineError> {
        self.ask(Message::Command, command)
    }

    /// What the last command took, or the start if there was none yet.
    pub(crate) fn instructions(&mut self) -> Result<u64, MachineError> {
        let answer = self.ask(Message::Instructions, &[])?;
        Ok(answer.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// What memory was needed so far.
    pub(crate) fn memory_used(&mut self) -> Result<MemoryUsed, MachineError> {
        let answer = self.ask(Message::MemoryUsed, &[])?;
        let mut numbers = answer.as_chunks::<4>().0.iter().map(|bytes| u32::from_be_bytes(*bytes));
        let mut next = || numbers.next().unwrap_or_default();
        Ok(MemoryUsed { stack: next(), heap: next(), statics: next() })
    }

    /// Does what a reader does to a card: power and reset, which are not answered.
    pub(crate) fn tell(&mut self, message: Message) -> Result<(), MachineError> {
        self.send(message, &[]).map_err(|_| self.stopped())
    }

    fn ask(&mut self, message: Message, data: &[u8]) -> Result<Vec<u8>, MachineError> {
        let exchange = self.send(message, data).and_then(|()| {
            let mut length = [0; 2];
            self.receive(&mut length)?;
            let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
            self.receive(&mut answer)?;
            Ok(answer)
        });
        exchange.map_err(|_| self.stopped())
    }

    fn send(&mut self, message: Message, data: &[u8]) -> io::Result<()> {
        let length = u16::try_from(data.len()).map_err(io::Error::other)?;
        let input = self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        input.write_all(&[&[message as u8], &length.to_be_bytes()[..], data].concat())
    }

    fn receive(&mut self, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            let mut waiting = [PollFd::new(&self.output, PollFlags::IN)];
            if poll(&mut waiting, Some(&PATIENCE))? == 0 {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match self.output.read(buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => buffer = &mut buffer[read..],
            }
        }
        Ok(())
    }

    fn stopped(&mut self) -> MachineError {
        let mut said = Vec::new();
        // QEMU may have ended by itself, and then its status is kept. What cannot be read was not said.
        let _ = self.qemu.kill();
        let status = self.qemu.wait();
        let _ = self.said.rewind().and_then(|()| self.said.read_to_end(&mut said));
        match status {
            Ok(status) => MachineError::Stopped { status, said: String::from_utf8_lossy(&said).into_owned() },
            Err(source) => io_error("wait for qemu-system-arm")(source),
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}
