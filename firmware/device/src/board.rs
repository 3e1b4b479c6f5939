//! The board: an MPS2 with a Cortex-M4 (QEMU's mps2-an386), its memory, its timer and its line to the host.
//!
//! Everything `unsafe` of this crate is here, each with its reason. Promises: the card's flash and the heap are given away
//! once; the line and the timer are used by one thread, which is the only one.
//!
//! | address | what is there |
//! |---|---|
//! | 0000_0000 | the firmware, in as much flash as its chip has (build.rs) |
//! | 2000_0000 | RAM: the stack, statics, the heap |
//! | 2100_0000 | the card's flash |
//! | 4000_0000 | a timer (CMSDK), at 25 MHz |

#![allow(unsafe_code)]

use core::{
    alloc::{GlobalAlloc, Layout},
    arch::asm,
    fmt,
    panic::PanicInfo,
    slice,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

use cortex_m_rt::{ExceptionFrame, STACK_PAINT_VALUE, exception};
use cortex_m_semihosting::{debug, nr, syscall};
use embedded_alloc::LlffHeap;

const CARD_FLASH: *mut u8 = 0x2100_0000 as *mut u8;
const CARD_FLASH_SIZE: usize = 144 * 1024;
const TIMER_CONTROL: *mut u32 = 0x4000_0000 as *mut u32;
const TIMER_VALUE: *mut u32 = 0x4000_0004 as *mut u32;

/// Instructions between two ticks of the timer: QEMU takes one nanosecond each.
const INSTRUCTIONS_A_TICK: u64 = 40;

// What the linker calls the places of the memory.
unsafe extern "C" {
    static _stack_end: u32;
    static _stack_start: u32;
    static _ram_start: u8;
    static _ram_end: u8;
    static __sheap: u8;
}

/// What there is one of.
pub struct Board {
    /// The card's flash.
    pub card_flash: &'static mut [u8],
}

impl Board {
    /// The board, with its heap and timer started.
    ///
    /// # Panics
    /// The second time.
    pub fn take() -> Self {
        static TAKEN: AtomicBool = AtomicBool::new(false);
        assert!(!TAKEN.swap(true, Relaxed), "the board can be taken once");
        let start = (&raw const __sheap).addr();
        // SAFETY: the linker leaves everything from `__sheap` to the end of the RAM unused, and this runs once.
        unsafe { HEAP.memory.init(start, (&raw const _ram_end).addr() - start) };
        // SAFETY: the registers of the timer; nobody else uses it.
        unsafe {
            TIMER_VALUE.write_volatile(u32::MAX);
            TIMER_CONTROL.write_volatile(1);
        }
        // SAFETY: memory of the board that belongs to nothing else, given away once.
        Self { card_flash: unsafe { slice::from_raw_parts_mut(CARD_FLASH, CARD_FLASH_SIZE) } }
    }
}

/// An allocator that remembers the most that was in use.
struct Heap {
    memory: LlffHeap,
    most: AtomicUsize,
}

#[global_allocator]
static HEAP: Heap = Heap { memory: LlffHeap::empty(), most: AtomicUsize::new(0) };

// SAFETY: as the allocator that it hands everything to.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is handed on.
        let place = unsafe { self.memory.alloc(layout) };
        self.most.fetch_max(self.memory.used(), Relaxed);
        place
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is handed on.
        unsafe { self.memory.dealloc(place, layout) }
    }
}

/// The most stack and heap that were in use so far, and the statics, in bytes.
pub fn memory_used() -> [u32; 3] {
    let (end, start) = (&raw const _stack_end, &raw const _stack_start);
    let words = (start.addr() - end.addr()) / size_of::<u32>();
    // SAFETY: all of the stack's memory, painted before `main`; reading what is in use disturbs nobody.
    let untouched =
        (0..words).take_while(|word| unsafe { end.add(*word).read_volatile() } == STACK_PAINT_VALUE);
    let stack = (words - untouched.count()) * size_of::<u32>();
    let statics = (&raw const __sheap).addr() - (&raw const _ram_start).addr();
    [stack, HEAP.most.load(Relaxed), statics].map(|bytes| bytes as u32)
}

/// Does `work` and counts its instructions, exact to within five.
///
/// The timer is coarser. So the count begins at a tick and goes on to the next tick after the work, and the turns of
/// the loop that waited for that tick are taken off again.
#[inline(never)]
pub fn count<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let (start, _) = next_tick();
    let result = work();
    let (end, waited) = next_tick();
    // The timer counts down.
    let ticks = u64::from(start.wrapping_sub(end));
    (result, ticks * INSTRUCTIONS_A_TICK - u64::from(waited))
}

/// Waits until the timer ticks; gives its value and the instructions that the wait took.
#[inline(always)]
fn next_tick() -> (u32, u32) {
    let (mut value, mut turns) = (0_u32, 0_u32);
    // SAFETY: reads a register of the timer and uses registers that are named here.
    unsafe {
        asm!(
            "ldr {now}, [{timer}]",
            "2:",
            "ldr {value}, [{timer}]",
            "adds {turns}, {turns}, #1",
            "cmp {value}, {now}",
            "beq 2b",
            timer = in(reg) TIMER_VALUE,
            now = out(reg) _,
            value = inout(reg) value,
            turns = inout(reg) turns,
            options(nostack, readonly)
        );
    }
    (value, turns * 4)
}

/// A line to the host, which sees it as the emulator's standard input and output.
pub struct Line {
    input: usize,
    output: usize,
}

impl Line {
    /// Opens it.
    pub fn open() -> Self {
        Self {
            input: open("/dev/stdin\0", nr::open::R_BINARY),
            output: open("/dev/stdout\0", nr::open::W_TRUNC_BINARY),
        }
    }

    /// Fills the buffer; `false` if the line ended before.
    pub fn read(&mut self, mut buffer: &mut [u8]) -> bool {
        while !buffer.is_empty() {
            // SAFETY: the host writes to the buffer, at most its length, and says how many bytes are still missing.
            let missing = unsafe { syscall!(READ, self.input, buffer.as_mut_ptr(), buffer.len()) };
            if missing == buffer.len() {
                return false;
            }
            let read = buffer.len() - missing;
            buffer = &mut buffer[read..];
        }
        true
    }

    /// Sends the bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        write(self.output, bytes);
    }
}

/// Opens a file of the host, whose name ends with a zero byte.
fn open(name: &str, mode: usize) -> usize {
    // SAFETY: the host reads the name.
    unsafe { syscall!(OPEN, name.as_ptr(), mode, name.len() - 1) }
}

fn write(file: usize, bytes: &[u8]) {
    // SAFETY: the host reads the bytes. What it cannot write it does not need: it has gone.
    let _missing = unsafe { syscall!(WRITE, file, bytes.as_ptr(), bytes.len()) };
}

/// Ends the emulator.
pub fn stop(outcome: debug::ExitStatus) -> ! {
    debug::exit(outcome);
    loop {
        cortex_m::asm::wfi();
    }
}

/// Prints on the emulator's standard error.
struct Console(usize);

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write(self.0, text.as_bytes());
        Ok(())
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let mut console = Console(open("/dev/stderr\0", nr::open::W_APPEND));
    let _ = fmt::Write::write_fmt(&mut console, format_args!("{info}\n"));
    stop(debug::EXIT_FAILURE)
}

// SAFETY: it does not return. When the stack has overflowed it cannot even run, and QEMU stops by itself.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    panic!("hard fault at {:08x}", frame.pc())
}
