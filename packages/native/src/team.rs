//! Who runs a program together: workers that share each command, and meet between commands.

use crate::memory::{Checked, Memory};
use crate::scratch::Scratch;
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicUsize, Ordering};
use std::sync::Mutex;
use std::time::Duration;

/// How often who waits looks, first at once, then leaving the processor to others in between. After that it takes naps that end by themselves: it is not woken, which
/// would put it on the processor of the one that wakes it.
const SPINS: u32 = 4_000;
const YIELDS: u32 = 200;
const NAP: Duration = Duration::from_micros(50);

/// float32 of a cache line.
const LINE: usize = 16;

/// What a value is that a kernel does not take; the numbers of the WebAssembly kernels (`assembly/sync.ts`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    Integer = 1,
    Float = 2,
}

/// The state that the workers of one program share.
pub struct Team {
    pub memory: Memory,
    pub workers: usize,
    arrived: AtomicUsize,
    generation: AtomicU32,
    code: AtomicI32,
    value: AtomicI32,
    command: AtomicUsize,
    /// The refusal as of the last barrier: the same for all workers, whoever reads it when.
    stopped: AtomicBool,
    aborted: AtomicBool,
    fault: Mutex<Option<String>>,
    shared: UnsafeCell<Scratch>,
}

// SAFETY: `shared` is grown by the first worker alone, between two barriers; everything else is atomic or locked.
unsafe impl Sync for Team {}

impl Team {
    pub fn new(memory: Memory, workers: usize) -> Team {
        Team {
            memory,
            workers,
            arrived: AtomicUsize::new(0),
            generation: AtomicU32::new(0),
            code: AtomicI32::new(0),
            value: AtomicI32::new(0),
            command: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            aborted: AtomicBool::new(false),
            fault: Mutex::new(None),
            shared: UnsafeCell::new(Scratch::new()),
        }
    }

    /// Takes the shared memory, to hand it to the next team.
    ///
    /// # Safety
    /// No worker may still run.
    pub unsafe fn take_shared(&self) -> Scratch {
        std::mem::take(&mut *self.shared.get())
    }

    /// Gives it shared memory to begin with.
    pub fn with_shared(mut self, shared: Scratch) -> Team {
        *self.shared.get_mut() = shared;
        self
    }

    /// Returns once every worker has come here; `Err` where one never will.
    fn barrier(&self, count: usize) -> Checked<()> {
        if count <= 1 {
            return self.going();
        }
        let generation = self.generation.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == count {
            self.arrived.store(0, Ordering::Relaxed);
            self.stopped.store(self.failed(), Ordering::Relaxed);
            self.generation.fetch_add(1, Ordering::Release);
            return Ok(());
        }
        let mut looks = 0u32;
        while self.generation.load(Ordering::Acquire) == generation {
            self.going()?;
            if looks < SPINS {
                std::hint::spin_loop();
            } else if looks < SPINS + YIELDS {
                std::thread::yield_now();
            } else {
                std::thread::sleep(NAP);
            }
            looks = looks.saturating_add(1);
        }
        Ok(())
    }

    /// `Err` where the program was broken off.
    pub fn going(&self) -> Checked<()> {
        if self.aborted.load(Ordering::Relaxed) {
            return Err(ABORTED.to_string());
        }
        Ok(())
    }

    /// Notes the first value that a kernel does not take; the program ends at the next barrier.
    pub fn refuse(&self, code: Refusal, value: i32, command: usize) {
        if self.code.compare_exchange(0, code as i32, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            self.value.store(value, Ordering::Release);
            self.command.store(command, Ordering::Release);
        }
    }

    pub fn failed(&self) -> bool {
        self.code.load(Ordering::Acquire) != 0
    }

    /// The code, the value and the command's address of what was refused.
    pub fn refusal(&self) -> Option<(i32, i32, usize)> {
        let code = self.code.load(Ordering::Acquire);
        (code != 0).then(|| (code, self.value.load(Ordering::Acquire), self.command.load(Ordering::Acquire)))
    }

    /// Ends the program for all workers: one found a command that cannot run, or panicked.
    pub fn abort(&self, reason: String) {
        if reason != ABORTED {
            let mut fault = self.fault.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            fault.get_or_insert(reason);
        }
        self.aborted.store(true, Ordering::Release);
    }

    /// Why the program ended early, if it did.
    pub fn fault(&self) -> Option<String> {
        self.fault.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

const ABORTED: &str = "the program was broken off";

/// One worker at one command: which share of it is its own.
pub struct Worker<'t> {
    pub team: &'t Team,
    /// Its place among all workers.
    pub place: usize,
    /// Its place among those at this command, and how many they are: 0 of 1 where one does it alone.
    pub index: usize,
    pub count: usize,
    /// Its own memory: for products, and for what kernels lay out themselves.
    pub products: &'t mut Scratch,
    pub own: &'t mut Scratch,
    /// Loops around this command.
    pub depth: usize,
}

impl Worker<'_> {
    /// This worker's share of `n` things: from .. to.
    pub fn share(&self, n: usize) -> (usize, usize) {
        part(n, self.index, self.count)
    }

    /// This worker's share of `n` columns, in cache lines of float32: where rows begin with a line, no two workers write to one.
    pub fn share_columns(&self, n: usize) -> (usize, usize) {
        let (first, last) = self.share(n.div_ceil(LINE));
        ((first * LINE).min(n), (last * LINE).min(n))
    }

    /// Meets the others at this command.
    pub fn meet(&self) -> Checked<()> {
        self.team.barrier(self.count)
    }

    /// Has a kernel refused a value, as of the last meeting?
    pub fn stopped(&self) -> bool {
        if self.count <= 1 {
            self.team.failed()
        } else {
            self.team.stopped.load(Ordering::Relaxed)
        }
    }

    /// Floats that all workers at this command share; their content is undefined.
    pub fn shared(&self, floats: usize) -> Checked<*mut f32> {
        // Who still reads what lay there before?
        self.meet()?;
        if self.index == 0 {
            // SAFETY: the others wait at the next meeting.
            unsafe { (*self.team.shared.get()).floats(floats) };
        }
        self.meet()?;
        // SAFETY: it is large enough, so that nothing changes in it.
        Ok(unsafe { (*self.team.shared.get()).address() })
    }
}

/// Part `index` of `count` equal parts of n.
pub fn part(n: usize, index: usize, count: usize) -> (usize, usize) {
    (n * index / count, n * (index + 1) / count)
}
