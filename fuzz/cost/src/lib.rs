//! What an input costs. Every fuzz target runs its inputs through [`measured`], which
//!
//! - - panics if an input takes more processor time or memory than the target allows, whatever the budgets in the code
//!   say: that is a finding like any other;
//! - - reports the cost to libFuzzer as if it were covered code: libFuzzer keeps and mutates an input that costs more
//!   than all before it, and of two with the same cost, the shorter one. So each target looks for the most work per
//!   byte.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The limits for one input.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Processor time of the process. A fuzzing build takes about five times as long as a release build.
    pub milliseconds: u64,
    /// Memory allocated at the same time.
    pub mebibytes: usize,
}

/// A fuzz target: the function that takes the input, and the limits of one input.
///
/// ```text
/// fuzz_cost::target!(gjson_path::fuzzing::path, milliseconds: 500, mebibytes: 64);
/// ```
#[macro_export]
macro_rules! target {
    ($run:path, milliseconds: $milliseconds:literal, mebibytes: $mebibytes:literal) => {
        ::libfuzzer_sys::fuzz_target!(|input: &[u8]| {
            let limits = $crate::Limits { milliseconds: $milliseconds, mebibytes: $mebibytes };
            $crate::measured(limits, input, |input| {
                $run(input);
            });
        });
    };
}

/// Runs `run` on the input.
///
/// # Panics
/// If that takes more than the limits.
pub fn measured(limits: Limits, input: &[u8], run: impl Fn(&[u8])) {
    let cost = Cost::of(|| run(input));
    show(cost);
    report(cost, input.len());
    let limit = Duration::from_millis(limits.milliseconds);
    assert!(
        cost.time <= limit && cost.memory <= limits.mebibytes << 20,
        "{cost} for {} bytes; at most {} ms and {} MiB are allowed",
        input.len(),
        limits.milliseconds,
        limits.mebibytes
    );
}

#[derive(Clone, Copy)]
struct Cost {
    time: Duration,
    /// The most bytes allocated at the same time, beyond those allocated before.
    memory: usize,
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.1} ms of processor time and {:.1} MiB",
            self.time.as_secs_f64() * 1e3,
            self.memory as f64 / 1048576.0
        )
    }
}

impl Cost {
    fn of(run: impl FnOnce()) -> Self {
        let before = ALLOCATED.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        let start = processor_time();
        run();
        let time = processor_time().saturating_sub(start);
        Self { time, memory: PEAK.load(Ordering::Relaxed).saturating_sub(before) }
    }
}

fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or_default())
}

/// The cost levels that libFuzzer tells apart: four per doubling.
const LEVELS: usize = 128;
/// Anything cheaper is not worth a place in the corpus: 2 ms, below which noise dominates, and 64 KiB.
const SMALLEST: Cost = Cost { time: Duration::from_millis(2), memory: 64 << 10 };

/// libFuzzer treats each nonzero byte here after a run as something that the input covered.
// SAFETY: libFuzzer finds the section by this name, and reads and clears its bytes only between two runs of the target.
#[unsafe(link_section = "__libfuzzer_extra_counters")]
#[used]
static COUNTERS: [AtomicU8; 2 * LEVELS] = [const { AtomicU8::new(0) }; 2 * LEVELS];

fn show(cost: Cost) {
    let levels = [cost.time.as_secs_f64() / SMALLEST.time.as_secs_f64(), cost.memory as f64 / SMALLEST.memory as f64];
    for (kind, times) in levels.into_iter().enumerate() {
        if times >= 1.0 {
            let level = ((4.0 * times.log2()) as usize).min(LEVELS - 1);
            COUNTERS[kind * LEVELS + level].store(1, Ordering::Relaxed);
        }
    }
}

/// Reports an input that costs twice as much as any before it.
fn report(cost: Cost, len: usize) {
    thread_local! {
        static HEAVIEST: Cell<Cost> = const { Cell::new(SMALLEST) };
    }
    let before = HEAVIEST.get();
    if cost.time > 2 * before.time || cost.memory > 2 * before.memory {
        HEAVIEST.set(Cost { time: cost.time.max(before.time), memory: cost.memory.max(before.memory) });
        eprintln!("the heaviest so far: {cost} for {len} bytes");
    }
}

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The system allocator, with a counter.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(more: usize, less: usize) {
    ALLOCATED.fetch_sub(less, Ordering::Relaxed);
    let now = ALLOCATED.fetch_add(more, Ordering::Relaxed).wrapping_add(more);
    PEAK.fetch_max(now, Ordering::Relaxed);
}

// SAFETY: every call is passed to the system allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(0, layout.size());
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        unsafe { System.realloc(place, layout, size) }
    }
}
