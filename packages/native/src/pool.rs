//! Threads that run programs as a team. They look out for work for a short while, then sleep.

use crate::memory::Memory;
use crate::run::{run, Desk};
use crate::scratch::Scratch;
use crate::simd::Level;
use crate::team::Team;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// How often a thread looks for work before it sleeps: some 20 microseconds.
const SPINS: u32 = 2_000;

/// How a program ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// A kernel refused a value: code, value, and the address of the command.
    Refused(i32, i32, usize),
    /// A command could not run, or a kernel panicked.
    Fault(String),
}

impl Outcome {
    pub fn of(team: &Team) -> Outcome {
        match (team.fault(), team.refusal()) {
            (Some(reason), _) => Outcome::Fault(reason),
            (None, Some((code, value, command))) => Outcome::Refused(code, value, command),
            (None, None) => Outcome::Done,
        }
    }
}

type Done = Box<dyn FnOnce(Outcome) + Send>;

struct Job {
    level: Level,
    team: Team,
    program: usize,
    end: usize,
    remaining: AtomicUsize,
    done: Mutex<Option<Done>>,
}

#[derive(Default)]
struct State {
    job: Option<Arc<Job>>,
    spare: Scratch,
    closing: bool,
}

#[derive(Default)]
struct Shared {
    epoch: AtomicU32,
    state: Mutex<State>,
    wake: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A team of threads, for one program at a time.
pub struct Pool {
    level: Level,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// `Err` where the system gives no threads.
    pub fn start(level: Level, count: usize) -> std::io::Result<Pool> {
        let shared = Arc::new(Shared::default());
        let mut pool = Pool { level, shared, threads: Vec::new() };
        for place in 0..count {
            let shared = Arc::clone(&pool.shared);
            let thread = std::thread::Builder::new().name(format!("recurra {place}")).spawn(move || work(&shared, place))?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    pub fn count(&self) -> usize {
        self.threads.len()
    }

    /// Runs a program; `done` is called by the thread that ends it. The one before must have ended.
    pub fn submit(&self, memory: Memory, program: usize, end: usize, done: Done) {
        let mut state = self.shared.lock();
        let team = Team::new(memory, self.count()).with_shared(std::mem::take(&mut state.spare));
        let job = Job { level: self.level, team, program, end, remaining: AtomicUsize::new(self.count()), done: Mutex::new(Some(done)) };
        state.job = Some(Arc::new(job));
        self.shared.epoch.fetch_add(1, Ordering::Release);
        drop(state);
        self.shared.wake.notify_all();
    }
}

impl Drop for Pool {
    /// Waits for the program that runs.
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.epoch.fetch_add(1, Ordering::Release);
        self.shared.wake.notify_all();
        for thread in self.threads.drain(..) {
            // A thread does not panic: kernels' panics are caught.
            let _ = thread.join();
        }
    }
}

fn work(shared: &Shared, place: usize) {
    let mut desk = Desk::default();
    let mut seen = 0;
    loop {
        let mut looks = 0;
        while shared.epoch.load(Ordering::Acquire) == seen && looks < SPINS {
            std::hint::spin_loop();
            looks += 1;
        }
        let mut state = shared.lock();
        while shared.epoch.load(Ordering::Acquire) == seen {
            state = shared.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        seen = shared.epoch.load(Ordering::Acquire);
        if let Some(job) = state.job.clone() {
            drop(state);
            perform(shared, &job, place, &mut desk);
            state = shared.lock();
        }
        if state.closing {
            return;
        }
    }
}

fn perform(shared: &Shared, job: &Job, place: usize, desk: &mut Desk) {
    // A thread that is woken to end finds the last job, which is done.
    if job.remaining.load(Ordering::Acquire) == 0 {
        return;
    }
    run(job.level, &job.team, place, desk, job.program, job.end);
    if job.remaining.fetch_sub(1, Ordering::AcqRel) != 1 {
        return;
    }
    let outcome = Outcome::of(&job.team);
    {
        let mut state = shared.lock();
        // SAFETY: all workers have ended this job.
        state.spare = unsafe { job.team.take_shared() };
        state.job = None;
    }
    let done = job.done.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(done) = done {
        done(outcome);
    }
}

/// Runs programs on the calling thread.
#[derive(Default)]
pub struct Inline {
    desk: Desk,
    spare: Scratch,
}

impl Inline {
    pub fn run(&mut self, level: Level, memory: Memory, program: usize, end: usize) -> Outcome {
        let team = Team::new(memory, 1).with_shared(std::mem::take(&mut self.spare));
        run(level, &team, 0, &mut self.desk, program, end);
        // SAFETY: the only worker has ended.
        self.spare = unsafe { team.take_shared() };
        Outcome::of(&team)
    }
}
